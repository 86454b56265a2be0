// A page with libraries of front ends in their default settings: Ant Design's Upload, axios,
// EventSource and igv.js. A test calls the functions of `window.page`.
import { Upload } from "antd";
import axios from "axios";
import igv from "igv";
import { useState } from "react";
import { createRoot } from "react-dom/client";

const [api, token] = decodeURIComponent(location.hash.slice(1)).split(" ");
const headers = { Authorization: `Bearer ${token}` };
const http = axios.create({ baseURL: api, headers });

function App() {
  const [files, setFiles] = useState([]);
  return (
    <Upload
      action={`${api}/api/v1/files`}
      headers={headers}
      fileList={files}
      onChange={({ fileList }) => setFiles([...fileList])}
      multiple
    >
      <button id="choose">Choose files</button>
      {files.map((file) => (
        <p key={file.uid} className={file.status} data-name={file.name}>
          {file.response?.data?.id}
        </p>
      ))}
    </Upload>
  );
}
createRoot(document.querySelector("#app")).render(<App />);

async function link(path) {
  return (await http.post("/api/v1/links", { path })).data.data.url;
}

window.page = {
  async list() {
    const params = { state: ["COMPLETE", "QUEUED", "RUNNING"], text: "", limit: 5 };
    const noCache = { "Cache-Control": "no-cache" };
    return (await http.get("/api/v1/runs", { params, headers: noCache })).data.data.total;
  },

  async run() {
    const run = (await http.post("/api/v1/runs", { workflow: "sequence-search", example: true })).data.data;
    const events = new EventSource(await link(`/api/v1/runs/${run.id}/events`));
    const state = await new Promise((resolve, reject) => {
      events.onerror = () => events.readyState === EventSource.CLOSED && reject(new Error("closed"));
      events.addEventListener("state", (event) => {
        const { state } = JSON.parse(event.data);
        if (/COMPLETE|ERROR|CANCELED/.test(state)) resolve(state);
      });
    });
    events.close();
    const results = (await http.get(`/api/v1/runs/${run.id}/results`)).data.data;
    const frame = document.createElement("iframe");
    frame.src = results.find((result) => result.kind === "report").link;
    frame.id = "report";
    frame.sandbox = "allow-scripts";
    document.body.append(frame);
    return state;
  },

  async draw(fasta, bam, bai) {
    const [fastaURL, url, indexURL] = await Promise.all(
      [fasta, bam, bai].map((id) => link(`/api/v1/files/${id}/content`)),
    );
    const browser = await igv.createBrowser(document.querySelector("#igv"), {
      reference: { id: "r", fastaURL, indexed: false },
      locus: "chr17:1000-1100",
      tracks: [{ type: "alignment", format: "bam", name: "reads", url, indexURL }],
    });
    const [track] = browser.findTracks("name", "reads");
    const alignments = await track.featureSource.getAlignments("chr17", 900, 1200);
    return alignments.allAlignments().length;
  },
};
