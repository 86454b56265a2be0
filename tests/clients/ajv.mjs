// Reads {schemas, cases} from standard input. Compiles each schema in strict mode, as
// docs/guide/front-end.md says, and prints for each case [name of the schema, value] if it is valid.
import { readFileSync } from "node:fs";
import Ajv from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const { schemas, cases } = JSON.parse(readFileSync(0, "utf8"));

const ownKeywords = (node) =>
  node && typeof node === "object"
    ? Object.entries(node).flatMap(([key, value]) => [
        ...(/^x-/.test(key) ? [key] : []),
        ...ownKeywords(value),
      ])
    : [];

const validators = {};
for (const [name, schema] of Object.entries(schemas)) {
  const ajv = new Ajv.default({ strict: true, allErrors: true });
  addFormats.default(ajv);
  ajv.addVocabulary([...new Set(ownKeywords(schema))]);
  validators[name] = ajv.compile(schema);
}
console.log(JSON.stringify(cases.map(([name, value]) => validators[name](value))));
