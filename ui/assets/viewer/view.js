// A PDF in the browser's own viewer, which works in no sandbox: Streamlit's frames are one.
export default function show({ parentElement, data }) {
  const frame = parentElement.querySelector(".frame");
  const able = navigator.pdfViewerEnabled;
  frame.hidden = !able;
  parentElement.querySelector(".note").hidden = able;
  frame.title = data.title;
  if (able && frame.src !== data.url) frame.src = data.url;
}
