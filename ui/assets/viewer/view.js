// Results that the browser loads straight from the API: PDF files in its own viewer, which does not
// work in a sandbox such as Streamlit's frames, and pictures, which a click enlarges.

function pdf(root, { url, title }) {
  const frame = root.querySelector(".frame");
  const supported = navigator.pdfViewerEnabled;
  frame.hidden = !supported;
  root.querySelector(".note").hidden = supported;
  frame.title = title;
  if (supported && frame.src !== url) frame.src = url;
}

function picture(root, { url, title }) {
  const button = root.querySelector(".picture");
  const image = button.querySelector("img");
  button.hidden = false;
  button.title = "Zoom in or out";
  image.alt = title;
  image.onload = () => button.style.setProperty("--own", `${image.naturalWidth}px`);
  if (image.src !== url) image.src = url;
  button.onclick = (event) => {
    const large = button.getAttribute("aria-pressed") !== "true";
    const { left, top, width, height } = image.getBoundingClientRect();
    const [x, y] = [(event.clientX - left) / width, (event.clientY - top) / height];
    button.setAttribute("aria-pressed", large);
    const grown = image.getBoundingClientRect();
    button.scrollTo(x * grown.width - width / 2, y * grown.height - height / 2); // to the position of the click
  };
}

export default function show({ parentElement, data }) {
  (data.pdf ? pdf : picture)(parentElement, data);
}
