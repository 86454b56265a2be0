// Uses types that openapi-typescript made, with openapi-fetch: upload, submit, follow, download.
import createClient from "openapi-fetch";
import type { components, paths } from "./openapi_typescript.gen";

declare const address: string; // esbuild puts it in
const client = createClient<paths>({ baseUrl: address });
const text = new Blob(["alpha\nbeta\n"]);

const file = await client.POST("/api/v1/files", {
  params: { query: { name: "words.txt" } },
  body: text as unknown as string,
  bodySerializer: (body) => body,
  headers: { "Content-Type": "application/octet-stream" },
});
const request: components["schemas"]["RunRequest"] = {
  workflow: "reader",
  params: { text: file.data!.data.id },
  name: "by openapi-typescript",
};
const submitted = await client.POST("/api/v1/runs", {
  body: request,
  params: { header: { "Idempotency-Key": `openapi-fetch-${Date.now()}` } },
});
const path = { run_id: submitted.data!.data.id };
let run: components["schemas"]["Run"];
do {
  await new Promise((resolve) => setTimeout(resolve, 200));
  run = (await client.GET("/api/v1/runs/{run_id}", { params: { path } })).data!.data;
} while (!["COMPLETE", "EXECUTOR_ERROR", "SYSTEM_ERROR", "CANCELED"].includes(run.state));
const results = await client.GET("/api/v1/runs/{run_id}/results", { params: { path } });
const names = results.data!.data.map((result) => result.path);
const content = await client.GET("/api/v1/runs/{run_id}/results/{path}", {
  params: { path: { ...path, path: names[0]! } },
  parseAs: "text",
});
const zip = await client.GET("/api/v1/runs/{run_id}/results.zip", {
  params: { path },
  parseAs: "blob",
});
const deleted = await client.DELETE("/api/v1/runs/{run_id}", { params: { path } });
const same = content.data === (await text.text());
console.log(run.state, names.join(), same, (zip.data as unknown as Blob).size > 100, deleted.data!.data);
