// Results that the browser shows itself, straight from the API: a PDF in its own viewer, which works
// in no sandbox (Streamlit's frames are one), and a picture, which a press makes large.

function pdf(root, { url, title }) {
  const frame = root.querySelector(".frame");
  const able = navigator.pdfViewerEnabled;
  frame.hidden = !able;
  root.querySelector(".note").hidden = able;
  frame.title = title;
  if (able && frame.src !== url) frame.src = url;
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
    button.scrollTo(x * grown.width - width / 2, y * grown.height - height / 2); // where it was pressed
  };
}

export default function show({ parentElement, data }) {
  (data.pdf ? pdf : picture)(parentElement, data);
}
