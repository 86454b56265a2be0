// Uses a client that hey-api made: upload, submit, follow, download.
import { client } from "./hey_api.gen/client.gen";
import * as api from "./hey_api.gen/sdk.gen";
import type { Run, RunRequest } from "./hey_api.gen/types.gen";

declare const address: string; // esbuild puts it in
client.setConfig({ baseUrl: address });
const text = new Blob(["alpha\nbeta\n"]);

const file = await api.uploadFile({ body: text, query: { name: "words.txt" } });
const request: RunRequest = {
  workflow: "reader",
  params: { text: file.data!.data.id },
  name: "by hey-api",
};
const submitted = await api.submitRun({
  body: request,
  headers: { "Idempotency-Key": `hey-api-${Date.now()}` },
});
const path = { run_id: submitted.data!.data.id };
let run: Run;
do {
  await new Promise((resolve) => setTimeout(resolve, 200));
  run = (await api.getRun({ path })).data!.data;
} while (!["COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "CANCELED"].includes(run.state));
const results = await api.listResults({ path });
const names = results.data!.data.map((result) => result.path);
const content = await api.getResult({ path: { ...path, path: names[0]! }, parseAs: "text" });
const zip = await api.getResultsZip({ path });
const deleted = await api.deleteRun({ path });
const same = (content.data as unknown as string) === (await text.text());
console.log(run.state, names.join(), same, (zip.data as Blob).size > 100, deleted.data!.data);
