// The upload box, with a row for each unfinished upload.

const REDRAW_INTERVAL_MS = 200;
const ICONS = {
  pause: "M9 6v12M15 6v12",
  resume: "M8 5v14l11-7z",
  end: "M6 6l12 12M18 6L6 18",
};
const views = new WeakMap();

class View {
  #rows = new Map();
  #drawn = 0;
  #timer = null;
  #sent = "[]";

  constructor(root) {
    this.root = root;
    this.one = (name) => root.querySelector(`.${name}`);
    this.listeners = {
      change: () => this.#drawSoon(),
      expired: () => this.component.setTriggerValue("expired", Date.now()),
    };
    for (const [name, listener] of Object.entries(this.listeners)) uploads.addEventListener(name, listener);
    this.#connectButton("choose", "files");
    this.#connectButton("folder", "folders");
    this.#connectDrop(this.one("zone"));
  }

  update(component) {
    this.component = component;
    this.data = component.data;
    uploads.use(this.data.link);
    const taken = new Set(this.data.taken);
    const known = uploads.of(this.data.slot).filter((task) => taken.has(task.id));
    for (const task of known) uploads.remove(task);
    if (known.length) {
      this.#sent = "[]";
      uploads.count(this.data.slot, known.length);
    }
    this.#drawOutcome();
    this.one("box").setAttribute("aria-label", `Upload: ${this.data.label}`);
    const accepted = this.data.endings ? `: ${this.data.endings}` : "";
    this.one("hint").textContent = `${this.data.many ? "Drop files here" : "Drop a file here"}${accepted}`;
    this.one("choose").textContent = this.data.many ? "Upload files" : "Upload a file";
    this.one("files").multiple = this.data.many;
    this.one("files").accept = this.data.accept;
    this.one("folder").hidden = !this.data.many;
    this.#draw();
  }

  close() {
    clearTimeout(this.#timer);
    for (const [name, listener] of Object.entries(this.listeners)) uploads.removeEventListener(name, listener);
  }

  #connectButton(button, input) {
    this.one(button).onclick = () => this.one(input).click();
    this.one(input).onchange = (event) => {
      for (const file of event.target.files) this.#add(file, file.webkitRelativePath || file.name);
      event.target.value = "";
    };
  }

  #connectDrop(zone) {
    zone.ondragover = (event) => {
      event.preventDefault();
      zone.classList.add("over");
    };
    zone.ondragleave = () => zone.classList.remove("over");
    zone.ondrop = async (event) => {
      event.preventDefault();
      zone.classList.remove("over");
      const entries = [...event.dataTransfer.items].map((item) => item.webkitGetAsEntry?.());
      for (const entry of entries.filter(Boolean)) {
        for await (const [file, name] of filesIn(entry, "")) this.#add(file, name);
      }
    };
  }

  #add(file, name) {
    const { slot, largest, many, pattern } = this.data;
    if (name.includes("/") && name.split("/").some((part) => part.startsWith("."))) return; // hidden
    if (name.length > 255) name = name.slice(-255);
    uploads.count(slot, 0);
    this.#drawOutcome();
    let problem = "";
    if (pattern && !fits(pattern, name, this.data.endings)) problem = wrongName(this.data.endings);
    if (file.size > largest) problem = `The file is larger than the limit of ${bytes(largest)}.`;
    if (!many) uploads.of(slot).filter((task) => task.state === "failed").forEach((task) => uploads.remove(task));
    uploads.add(slot, file, name, problem);
    this.#markUploads(uploads.of(slot));
  }

  // Name the uploads of this box for typed.js: a form is not submitted before they have finished.
  #markUploads(tasks) {
    const names = tasks.filter((task) => task.state !== "failed").map((task) => task.name);
    const host = this.root.host ?? this.root;
    if (names.length) host.dataset.uploading = JSON.stringify(names);
    else delete host.dataset.uploading;
  }

  #drawOutcome() {
    const count = uploads.counted(this.data.slot);
    this.one("outcome").textContent = count > 1 ? `${count} files uploaded.` : count ? "Uploaded." : "";
  }

  #drawSoon() {
    this.#timer ??= setTimeout(() => this.#draw(), Math.max(0, REDRAW_INTERVAL_MS - (Date.now() - this.#drawn)));
  }

  #draw() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#drawn = Date.now();
    const tasks = uploads.of(this.data.slot);
    const shown = [
      ...tasks.filter((task) => task.state !== "done"),
      ...uploads.unfinished(this.data.all ? "" : this.data.slot),
    ];
    const list = this.one("rows");
    const ids = new Set(shown.map((one) => one.memory ?? one.key));
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue;
      row.remove();
      this.#rows.delete(id);
    }
    shown.forEach((one) => (one.key ? this.#remembered(one) : this.#task(one)));
    list.hidden = shown.length === 0;
    this.#summary(tasks);
    this.#report(tasks);
  }

  #row(id, name) {
    let row = this.#rows.get(id);
    if (!row) {
      row = make("li");
      row.append(make("span", "name", name), make("div", "bar"), make("span", "state"), make("span", "acts"));
      row.querySelector(".name").title = name;
      const bar = row.querySelector(".bar");
      bar.append(make("i"));
      for (const [key, value] of Object.entries({ role: "progressbar", "aria-label": `Upload of ${name}` })) {
        bar.setAttribute(key, value);
      }
      this.#rows.set(id, row);
      this.one("rows").append(row);
    }
    return row;
  }

  #fill(row, state, share, message) {
    row.className = state;
    const percent = Math.floor(share * 100);
    row.querySelector(".bar").setAttribute("aria-valuenow", percent);
    row.querySelector(".bar > i").style.width = `${share * 100}%`;
    const text = row.querySelector(".state");
    text.ariaLive = ["failed", "waiting"].includes(state) ? "polite" : "off";
    text.textContent = message;
  }

  #task(task) {
    const row = this.#row(task.memory, task.name);
    this.#fill(row, task.state, task.size ? task.done / task.size : 0, describe(task));
    row.querySelector(".bar").hidden = task.state === "failed" && task.done === 0;
    if (row.dataset.acts === task.state) return;
    row.dataset.acts = task.state;
    const stopped = ["paused", "failed"].includes(task.state);
    const again = task.state === "failed" ? "Try again" : "Resume";
    const acts = [];
    if (stopped) acts.push(act("resume", `${again}: ${task.name}`, () => task.resume()));
    else acts.push(act("pause", `Pause ${task.name}`, () => task.pause()));
    acts.push(act("end", `Remove ${task.name}`, () => task.end()));
    replaceButtons(row.querySelector(".acts"), acts);
  }

  #remembered(entry) {
    const row = this.#row(entry.key, entry.name);
    const message = `${bytes(entry.sent)} of ${bytes(entry.size)} uploaded. Choose the same file again to continue.`;
    this.#fill(row, "paused", entry.size ? entry.sent / entry.size : 0, message);
    if (row.dataset.acts === "remembered") return;
    row.dataset.acts = "remembered";
    const choose = make("button", "wide", "Choose the file");
    choose.type = "button";
    choose.onclick = () => this.one(entry.name.includes("/") ? "folders" : "files").click();
    replaceButtons(row.querySelector(".acts"), [choose, act("end", `Remove ${entry.name}`, () => uploads.discard(entry))]);
  }

  #summary(tasks) {
    const line = this.one("summary");
    const active = tasks.filter((task) => task.state !== "failed");
    const left = active.filter((task) => task.state !== "done");
    line.hidden = left.length < 2;
    if (line.hidden) return;
    const sum = (pick) => active.reduce((total, task) => total + pick(task), 0);
    const text = `${active.length - left.length} of ${active.length} files, ${bytes(sum((t) => t.done))} of ${bytes(sum((t) => t.size))}`;
    const paused = left.every((task) => task.state === "paused");
    const all = line.querySelector("button") ?? make("button");
    all.type = "button";
    all.textContent = paused ? "Resume all" : "Pause all";
    all.onclick = () => left.forEach((task) => (paused ? task.resume() : task.pause()));
    if (!line.contains(all)) line.append(make("span"), all);
    line.querySelector("span").textContent = text;
  }

  // Report the uploaded files to the portal: at the end, and every few seconds before that.
  #report(tasks) {
    this.#markUploads(tasks);
    const done = tasks.filter((task) => task.state === "done").map((task) => ({ key: task.id, file: task.fileId }));
    const text = JSON.stringify(done);
    if (text === "[]" || text === this.#sent) return;
    const busy = tasks.some((task) => task.busy || task.state === "queued");
    if (busy && Date.now() - (this.reported ?? 0) < 3000) return;
    this.reported = Date.now();
    this.#sent = text;
    this.component.setStateValue("files", done);
  }
}

async function* filesIn(entry, path) {
  if (entry.isFile) {
    yield [await new Promise((resolve, reject) => entry.file(resolve, reject)), path + entry.name];
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const entries = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!entries.length) return;
    for (const child of entries) yield* filesIn(child, `${path}${entry.name}/`);
  }
}

function fits(pattern, name, endings) {
  try {
    return new RegExp(pattern, "iu").test(name); // suffixes match in any case
  } catch {
    return true; // not a JavaScript pattern; the server checks the name
  }
}

function wrongName(endings) {
  return endings
    ? `Only files that end in ${endings} are accepted here.`
    : "The name of this file is not accepted here.";
}

function describe(task) {
  const amount = `${bytes(task.done)} of ${bytes(task.size)}`;
  if (task.state === "queued") return `Queued · ${bytes(task.size)}`;
  if (task.state === "paused") return `Paused · ${amount}`;
  if (task.state === "waiting") return `${task.message} · ${amount}`;
  if (task.state === "failed") return task.message;
  if (task.done === task.size) return "Checking…";
  const parts = [amount];
  if (task.rate) parts.push(`${bytes(task.rate)}/s`, `${time((task.size - task.done) / task.rate)} left`);
  if (task.resumed) parts.push("resumed");
  return parts.join(" · ");
}

function bytes(count) {
  let unit = 0;
  for (; count >= 1000 && unit < 4; unit += 1) count /= 1000;
  return `${unit && count < 100 ? count.toFixed(1) : Math.round(count)} ${["B", "kB", "MB", "GB", "TB"][unit]}`;
}

function time(seconds) {
  const rest = Math.ceil(seconds);
  if (rest < 60) return `${rest} s`;
  if (rest < 3600) return `${Math.floor(rest / 60)} min ${rest % 60} s`;
  return `${Math.floor(rest / 3600)} h ${Math.floor((rest % 3600) / 60)} min`;
}

function make(tag, name = "", text = "") {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  return element;
}

function act(icon, label, action) {
  const button = make("button");
  button.type = "button";
  button.title = label;
  button.setAttribute("aria-label", label);
  button.dataset.act = icon;
  button.innerHTML = `<svg viewBox="0 0 24 24" aria-hidden="true"><path d="${ICONS[icon]}" /></svg>`;
  button.onclick = action;
  return button;
}

// Replace buttons, and keep the focus on the button at the same position.
function replaceButtons(parent, buttons) {
  const at = [...parent.children].findIndex((button) => button.matches(":focus"));
  parent.replaceChildren(...buttons);
  if (at >= 0) buttons[Math.min(at, buttons.length - 1)].focus();
}

export default function show(component) {
  const root = component.parentElement;
  if (!views.has(root)) views.set(root, new View(root));
  const view = views.get(root);
  view.update(component);
  return () => {
    view.close();
    views.delete(root);
  };
}
