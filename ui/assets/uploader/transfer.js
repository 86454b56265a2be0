// Sends files to the API in slices (tus 1.0). Lives as long as the page, so that an upload goes on
// while another view is open; what is unfinished is remembered, so that it goes on after a reload.

const SLICE = 8 * 1024 * 1024; // bytes of one request
const AT_ONCE = 3; // files
const WINDOW = 6000; // ms over which the rate is taken
const SHORTEST_WAIT = 500; // ms between two tries
const LONGEST_WAIT = 15000;
const KEPT = 7 * 24 * 3600 * 1000; // ms; the API forgets an upload then, too
const MEMORY = "rundesk-upload ";
const AGAIN = new Set([0, 408, 409, 423, 425, 429, 500, 502, 503, 504]);

class Refused extends Error {
  constructor(status, words) {
    super(words);
    this.status = status;
  }
}

const memory = {
  entries() {
    const found = [];
    try {
      for (const key of Object.keys(localStorage)) {
        if (!key.startsWith(MEMORY)) continue;
        const entry = JSON.parse(localStorage.getItem(key));
        if (Date.now() - entry.at < KEPT) found.push({ ...entry, key });
        else localStorage.removeItem(key);
      }
    } catch { /* a browser that keeps nothing */ }
    return found;
  },
  get(key) {
    return this.entries().find((entry) => entry.key === key);
  },
  put(key, entry) {
    try { localStorage.setItem(key, JSON.stringify({ ...entry, at: Date.now() })); } catch { /* ditto */ }
  },
  drop(key) {
    try { localStorage.removeItem(key); } catch { /* ditto */ }
  },
};

class Uploads extends EventTarget {
  tasks = [];
  link = null; // address of uploads, with the signature of who is at the page

  use(link) {
    const found = new URL(link);
    const actor = found.searchParams.get("actor");
    const changed = this.link?.query !== found.search;
    this.link = { base: found.origin + found.pathname, query: found.search, actor };
    if (changed) this.tell("link");
  }

  tell(what = "change") {
    this.dispatchEvent(new Event(what));
  }

  of(slot) {
    return this.tasks.filter((task) => task.slot === slot);
  }

  key(name, file) {
    return `${MEMORY}${this.link.base} ${this.link.actor} ${name} ${file.size} ${file.lastModified}`;
  }

  unfinished(slot) {
    const own = `${MEMORY}${this.link.base} ${this.link.actor} `;
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
      .slice(0, Math.max(0, AT_ONCE - busy))
      .forEach((task) => task.run());
    this.tell();
  }

  remove(task) {
    this.tasks = this.tasks.filter((one) => one !== task);
    this.next();
  }

  async discard(entry) {
    memory.drop(entry.key);
    this.tell();
    await this.ask("DELETE", entry.id).catch(() => {});
  }

  // One request. Resolves with its headers; rejects with Refused, of status 0 when nobody answered.
  ask(method, id, headers = {}, body = null, options = {}) {
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open(method, `${this.link.base}${id}${this.link.query}`);
      for (const [name, value] of Object.entries({ "Tus-Resumable": "1.0.0", ...headers })) {
        request.setRequestHeader(name, value);
      }
      request.onload = () => {
        if (request.status < 300) resolve((name) => request.getResponseHeader(name));
        else reject(new Refused(request.status, wordsOf(request)));
      };
      request.onerror = () => reject(new Refused(0, "The API does not answer."));
      request.onabort = () => reject(new Refused(-1, ""));
      if (options.progress) request.upload.onprogress = (event) => options.progress(event.loaded);
      options.started?.(request);
      request.send(body);
    });
  }

  // A fresh link, from the page's server; whoever shows a box asks for it.
  async renewed() {
    const changed = new Promise((resolve) => {
      this.addEventListener("link", () => resolve(true), { once: true });
      setTimeout(() => resolve(false), 20000);
    });
    this.tell("expired");
    return changed;
  }
}

function wordsOf(request) {
  try {
    const reply = JSON.parse(request.responseText);
    const hint = reply.data?.problems?.[0]?.hint ?? "";
    return `${reply.msg} ${hint}`.trim();
  } catch {
    return `The API answered ${request.status}.`;
  }
}

class Task {
  id = crypto.getRandomValues(new Uint32Array(2)).join("-");
  sent = 0; // bytes that the API has
  flying = 0; // bytes of the slice that is on its way
  resumed = false;
  fileId = null;
  #samples = [];
  #request = null;
  #wake = () => {};
  #turn = 0; // how often it was started

  constructor(uploads, slot, file, name, key, problem) {
    Object.assign(this, { uploads, slot, file, name, memory: key, words: problem });
    this.state = problem ? "failed" : "queued";
  }

  get size() { return this.file.size; }
  get busy() { return ["sending", "waiting"].includes(this.state); }
  get done() { return Math.min(this.size, this.sent + this.flying); }

  get rate() { // bytes per second, or null as long as it is not known
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    return last && last.at - first.at > 400 ? ((last.done - first.done) * 1000) / (last.at - first.at) : null;
  }

  #become(state, words = "") {
    Object.assign(this, { state, words });
    if (state !== "sending") this.#samples = [];
    this.uploads.tell();
  }

  #sample(flying) {
    this.flying = flying;
    const at = performance.now();
    this.#samples.push({ at, done: this.done });
    while (this.#samples.length > 2 && at - this.#samples[0].at > WINDOW) this.#samples.shift();
    this.uploads.tell();
  }

  pause() {
    if (this.state === "queued" || this.busy) this.#stop("paused");
  }

  resume() {
    if (this.state === "paused" || (this.state === "failed" && this.file)) this.#become("queued");
    this.uploads.next();
  }

  async end() {
    this.#stop("ended");
    const known = memory.get(this.memory);
    memory.drop(this.memory);
    this.uploads.remove(this);
    if (known && !this.fileId) await this.uploads.ask("DELETE", known.id).catch(() => {});
  }

  #stop(state) {
    this.#become(state);
    this.flying = 0;
    this.#request?.abort();
    this.#wake();
    this.uploads.next();
  }

  async run() {
    const turn = ++this.#turn;
    const going = () => this.busy && turn === this.#turn; // neither paused nor ended
    let wait = SHORTEST_WAIT;
    this.#become("sending");
    while (going()) {
      const before = this.sent;
      try {
        await this.#attempt();
        return;
      } catch (problem) {
        if (!going()) return;
        this.flying = 0;
        if (this.sent > before) wait = SHORTEST_WAIT;
        if (!(await this.#mend(problem, wait))) return;
        wait = Math.min(wait * 2, LONGEST_WAIT);
      }
    }
  }

  // From where the API stands to the registered file.
  async #attempt() {
    let reply = await this.#located();
    if (this.state === "waiting") this.#become("sending");
    while (this.sent < this.size) {
      const end = Math.min(this.sent + SLICE, this.size);
      const headers = { "Upload-Offset": this.sent, "Content-Type": "application/offset+octet-stream" };
      reply = await this.#ask("PATCH", this.upload, headers, this.file.slice(this.sent, end));
      this.sent = Number(reply("Upload-Offset"));
      this.#sample(0);
      this.#remember();
    }
    while (!reply("Rundesk-File")) { // somebody else is at it
      await this.#sleep(1000);
      reply = await this.#ask("HEAD", this.upload);
    }
    this.fileId = reply("Rundesk-File");
    memory.drop(this.memory);
    this.#become("done");
    this.uploads.next();
  }

  // Where to go on: a remembered upload of this file, or a new one.
  async #located() {
    const known = memory.get(this.memory);
    if (known) {
      try {
        const reply = await this.#ask("HEAD", known.id);
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
    const reply = await this.#ask("POST", "", headers);
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

  #ask(method, id, headers, body) {
    return this.uploads.ask(method, id, headers, body, {
      progress: (loaded) => this.#sample(Math.min(loaded, body?.size ?? 0)),
      started: (request) => { this.#request = request; },
    });
  }

  // Whether there is a point in trying again, after a while.
  async #mend(problem, wait) {
    if (problem.status === 401) {
      this.#become("waiting", "Asking whether you are still signed in…");
      if (await this.uploads.renewed()) return true;
      this.#fail("You are no longer signed in. Reload the page, then choose the file again to go on.");
      return false;
    }
    if (!(problem instanceof Refused) || (!AGAIN.has(problem.status) && ![404, 410].includes(problem.status))) {
      this.#fail(problem.message);
      return false;
    }
    try {
      await this.file.slice(0, 1).arrayBuffer();
    } catch {
      this.#fail("The file was changed or moved since you chose it. Choose it again.");
      return false;
    }
    const lost = problem.status === 0;
    this.#become("waiting", lost ? "No connection to the API; trying again…" : "The desk is busy; trying again…");
    await this.#sleep(wait);
    return true;
  }

  #fail(words) {
    this.#become("failed", words);
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
