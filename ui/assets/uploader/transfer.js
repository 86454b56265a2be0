// Uploads files to the API in slices (tus 1.0). The uploads belong to the browser tab, so they continue
// while another page is open. Unfinished uploads are kept in localStorage and continue after a reload.

const SLICE_BYTES = 8 * 1024 * 1024; // of one request
const MAX_PARALLEL = 3; // files
const RATE_WINDOW_MS = 6000;
const MIN_RETRY_MS = 500;
const MAX_RETRY_MS = 15000;
const KEEP_MS = 7 * 24 * 3600 * 1000; // the API discards an unfinished upload after the same time
const KEY_PREFIX = "rundesk-upload "; // in localStorage
const RETRIED = new Set([0, 408, 409, 423, 425, 429, 500, 502, 503, 504]);

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

const memory = {
  entries() {
    const entries = [];
    try {
      for (const key of Object.keys(localStorage)) {
        if (!key.startsWith(KEY_PREFIX)) continue;
        const entry = JSON.parse(localStorage.getItem(key));
        if (Date.now() - entry.at < KEEP_MS) entries.push({ ...entry, key });
        else localStorage.removeItem(key);
      }
    } catch { /* localStorage is not available */ }
    return entries;
  },
  get(key) {
    return this.entries().find((entry) => entry.key === key);
  },
  put(key, entry) {
    try { localStorage.setItem(key, JSON.stringify({ ...entry, at: Date.now() })); } catch { /* not available */ }
  },
  drop(key) {
    try { localStorage.removeItem(key); } catch { /* not available */ }
  },
};

class Uploads extends EventTarget {
  tasks = [];
  link = null; // the signed address of uploads, for the current user
  #uploaded = new Map(); // slot → files uploaded since the last choice; outlives a box drawn again

  use(link) {
    const url = new URL(link);
    const actor = url.searchParams.get("actor");
    const changed = this.link?.query !== url.search;
    this.link = { base: url.origin + url.pathname, query: url.search, actor };
    if (changed) this.notify("link");
  }

  notify(type = "change") {
    this.dispatchEvent(new Event(type));
  }

  // Add to the number of uploaded files of a slot; 0 starts counting again.
  count(slot, files) {
    this.#uploaded.set(slot, files && this.counted(slot) + files);
  }

  counted(slot) {
    return this.#uploaded.get(slot) ?? 0;
  }

  of(slot) {
    return this.tasks.filter((task) => task.slot === slot);
  }

  key(name, file) {
    return `${KEY_PREFIX}${this.link.base} ${this.link.actor} ${name} ${file.size} ${file.lastModified}`;
  }

  unfinished(slot) {
    const own = `${KEY_PREFIX}${this.link.base} ${this.link.actor} `;
    const active = new Set(this.tasks.map((task) => task.memory));
    return memory
      .entries()
      .filter((one) => one.key.startsWith(own) && !active.has(one.key) && (!slot || one.slot === slot));
  }

  add(slot, file, name, problem = "") {
    const key = this.key(name, file);
    const same = this.tasks.find((task) => task.memory === key && task.slot === slot);
    if (same && same.state !== "failed") return;
    if (same) this.remove(same);
    this.tasks.push(new Task(this, slot, file, name, key, problem));
    this.next();
  }

  next() {
    const busy = this.tasks.filter((task) => task.busy).length;
    this.tasks
      .filter((task) => task.state === "queued")
      .slice(0, Math.max(0, MAX_PARALLEL - busy))
      .forEach((task) => task.run());
    this.notify();
  }

  remove(task) {
    this.tasks = this.tasks.filter((one) => one !== task);
    this.next();
  }

  async discard(entry) {
    memory.drop(entry.key);
    this.notify();
    await this.request("DELETE", entry.id).catch(() => {});
  }

  // Send a request. Resolves with a function that returns a response header; rejects with Refused,
  // whose status is 0 if there was no response.
  request(method, id, headers = {}, body = null, options = {}) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open(method, `${this.link.base}${id}${this.link.query}`);
      for (const [name, value] of Object.entries({ "Tus-Resumable": "1.0.0", ...headers })) {
        request.setRequestHeader(name, value);
      }
      request.onload = () => {
        if (request.status < 300) resolve((name) => request.getResponseHeader(name));
        else reject(new Refused(request.status, messageOf(request)));
      };
      request.onerror = () => reject(new Refused(0, "No connection to the server."));
      request.onabort = () => reject(new Refused(-1, ""));
      if (options.progress) request.upload.onprogress = (event) => options.progress(event.loaded);
      options.started?.(request);
      request.send(body);
    });
  }

  // Wait for a new link from the portal; the boxes on the page request it.
  async renewLink() {
    const changed = new Promise((resolve) => {
      this.addEventListener("link", () => resolve(true), { once: true });
      setTimeout(() => resolve(false), 20000);
    });
    this.notify("expired");
    return changed;
  }
}

function messageOf(request) {
  try {
    const reply = JSON.parse(request.responseText);
    const hint = reply.data?.problems?.[0]?.hint ?? "";
    return `${reply.msg} ${hint}`.trim();
  } catch {
    return `The server responded with HTTP status ${request.status}.`;
  }
}

class Task {
  id = crypto.getRandomValues(new Uint32Array(2)).join("-");
  sent = 0; // bytes that the API has received
  pending = 0; // bytes of the current slice that were sent
  resumed = false;
  fileId = null;
  #samples = [];
  #request = null;
  #wake = () => {};
  #turn = 0; // number of starts

  constructor(uploads, slot, file, name, key, problem) {
    Object.assign(this, { uploads, slot, file, name, memory: key, message: problem });
    this.state = problem ? "failed" : "queued";
  }

  get size() { return this.file.size; }
  get busy() { return ["sending", "waiting"].includes(this.state); }
  get done() { return Math.min(this.size, this.sent + this.pending); }

  get rate() { // bytes per second, or null while unknown
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    return last && last.at - first.at > 400 ? ((last.done - first.done) * 1000) / (last.at - first.at) : null;
  }

  #setState(state, message = "") {
    Object.assign(this, { state, message });
    if (state !== "sending") this.#samples = [];
    this.uploads.notify();
  }

  #sample(pending) {
    this.pending = pending;
    const at = performance.now();
    this.#samples.push({ at, done: this.done });
    while (this.#samples.length > 2 && at - this.#samples[0].at > RATE_WINDOW_MS) this.#samples.shift();
    this.uploads.notify();
  }

  pause() {
    if (this.state === "queued" || this.busy) this.#stop("paused");
  }

  resume() {
    if (this.state === "paused" || (this.state === "failed" && this.file)) this.#setState("queued");
    this.uploads.next();
  }

  async end() {
    this.#stop("ended");
    const known = memory.get(this.memory);
    memory.drop(this.memory);
    this.uploads.remove(this);
    if (known && !this.fileId) await this.uploads.request("DELETE", known.id).catch(() => {});
  }

  #stop(state) {
    this.#setState(state);
    this.pending = 0;
    this.#request?.abort();
    this.#wake();
    this.uploads.next();
  }

  async run() {
    const turn = ++this.#turn;
    const active = () => this.busy && turn === this.#turn; // neither paused nor removed
    let wait = MIN_RETRY_MS;
    this.#setState("sending");
    while (active()) {
      const before = this.sent;
      try {
        await this.#attempt();
        return;
      } catch (problem) {
        if (!active()) return;
        this.pending = 0;
        if (this.sent > before) wait = MIN_RETRY_MS;
        if (!(await this.#recover(problem, wait))) return;
        wait = Math.min(wait * 2, MAX_RETRY_MS);
      }
    }
  }

  // Send the rest of the file, then wait until the API has registered it.
  async #attempt() {
    let reply = await this.#locate();
    if (this.state === "waiting") this.#setState("sending");
    while (this.sent < this.size) {
      const end = Math.min(this.sent + SLICE_BYTES, this.size);
      const headers = { "Upload-Offset": this.sent, "Content-Type": "application/offset+octet-stream" };
      reply = await this.#send("PATCH", this.upload, headers, this.file.slice(this.sent, end));
      this.sent = Number(reply("Upload-Offset"));
      this.#sample(0);
      this.#remember();
    }
    while (!reply("Rundesk-File")) { // another request is completing it
      await this.#sleep(1000);
      reply = await this.#send("HEAD", this.upload);
    }
    this.fileId = reply("Rundesk-File");
    memory.drop(this.memory);
    this.#setState("done");
    this.uploads.next();
  }

  // Find the unfinished upload of this file, or create a new one.
  async #locate() {
    const known = memory.get(this.memory);
    if (known) {
      try {
        const reply = await this.#send("HEAD", known.id);
        this.upload = known.id;
        this.resumed ||= this.sent === 0 && Number(reply("Upload-Offset")) > 0;
        this.sent = Number(reply("Upload-Offset"));
        return reply;
      } catch (problem) {
        if (![404, 410].includes(problem.status)) throw problem;
        memory.drop(this.memory);
      }
    }
    const name = btoa(String.fromCharCode(...new TextEncoder().encode(this.name)));
    const headers = { "Upload-Length": this.size, "Upload-Metadata": `filename ${name}` };
    const reply = await this.#send("POST", "", headers);
    this.upload = reply("Location").split("/").pop();
    this.sent = 0;
    this.#remember();
    return reply;
  }

  #remember() {
    memory.put(this.memory, {
      id: this.upload, slot: this.slot, name: this.name, size: this.size, sent: this.sent,
    });
  }

  #send(method, id, headers, body) {
    return this.uploads.request(method, id, headers, body, {
      progress: (loaded) => this.#sample(Math.min(loaded, body?.size ?? 0)),
      started: (request) => { this.#request = request; },
    });
  }

  // Wait before the next attempt; returns false if the upload has failed for good.
  async #recover(problem, wait) {
    if (problem.status === 401) {
      this.#setState("waiting", "Checking your sign-in…");
      if (await this.uploads.renewLink()) return true;
      this.#fail("You are signed out. Reload the page to sign in, then choose the file again to continue.");
      return false;
    }
    if (!(problem instanceof Refused) || (!RETRIED.has(problem.status) && ![404, 410].includes(problem.status))) {
      this.#fail(problem.message);
      return false;
    }
    try {
      await this.file.slice(0, 1).arrayBuffer();
    } catch {
      this.#fail("The file was changed or moved. Choose it again.");
      return false;
    }
    const offline = problem.status === 0;
    this.#setState("waiting", offline ? "No connection to the server. Retrying…" : "The server is busy. Retrying…");
    await this.#sleep(wait);
    return true;
  }

  #fail(message) {
    this.#setState("failed", message);
    this.uploads.next();
  }

  #sleep(milliseconds) {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        removeEventListener("online", wake);
        resolve();
      };
      const timer = setTimeout(wake, milliseconds);
      addEventListener("online", wake);
      this.#wake = wake;
    });
  }
}

const uploads = (window.rundeskUploads ??= new Uploads());

addEventListener("beforeunload", (event) => {
  if (uploads.tasks.some((task) => task.busy)) event.preventDefault();
});
