import { loadRuntime } from "./serve/runtime.ts";
const t = performance.now();
const ort = await loadRuntime(process.env["SLUICE_DATA"] ?? "./.sluice");
console.log(Object.keys(ort).slice(0, 5), performance.now() - t);
