// Says when the portal or the API does not respond, in a bar at the top of the window. Without it the page
// turns grey without a word, Streamlit shows a dialog of its own later, and reports stay white.
(() => {
  const INTERVAL_MS = 2000; // between the starts of two requests
  const SILENCE_MS = 900; // without a response, after which a server is regarded as down
  const TIMEOUT_MS = 2000; // of a request, and the silence on a line that was too slow for SILENCE_MS
  const UPLOAD_TIMEOUT_MS = 6000; // of both while uploads progress, because they delay other requests
  const CONFIRM_MS = 300; // before a request that failed at once is repeated
  const RECONNECT_MS = 1500; // for Streamlit, after which its lost connection is shown
  const RELOAD_MS = 10000; // for Streamlit while the portal responds, after which the page offers to reload
  const RESTORED_MS = 2000;
  const FOCUS_MARGIN_PX = 8;
  const EMPHASIS_MS = 1200;
  const TEXTS = {
    portal: "No connection to Rundesk. Retrying… Your entries are kept.",
    reload: "This page could not reconnect to Rundesk.",
    api: "The API is not responding: uploads, downloads and reports are unavailable. Retrying…",
    restored: "Connected again.",
  };
  const RELOAD = "Reload the page";
  const UNAVAILABLE = `<!doctype html><html lang="en"><title>Unavailable</title>
    <style>
      html { color-scheme: light dark; background: light-dark(#fff, #12181d); color: light-dark(#1c2733, #e6ebef); }
      p { margin: 1.5rem; font: 0.9375rem/1.5 sans-serif; }
    </style>
    <p>This file is unavailable because the API is not responding. It opens when the API responds again.</p>`;
  const DIALOG_TITLE = "Connection error"; // of Streamlit's dialog

  const addresses = JSON.parse(document.getElementById("rundesk-addresses").textContent);
  const files = `${addresses.api}/api/`; // reports and downloads
  const NEEDS_API = `:is(a[href^="${files}"], iframe[src^="${files}"], [class*="st-key-upload-"])`;

  class Server {
    down = false;
    since = performance.now(); // of the last change of `down`
    #silence = SILENCE_MS;
    #request = null;

    constructor(url, method) {
      this.url = url;
      this.method = method;
    }

    // Send a request and update `down`. `limit` is the time after which silence means that the server is down.
    async check(limit = this.#silence) {
      this.cancel();
      const request = (this.#request = new AbortController());
      const start = performance.now();
      let silent = false;
      const silence = setTimeout(() => {
        silent = true;
        this.#update(request, true);
      }, limit);
      const end = setTimeout(() => request.abort(), Math.max(limit, TIMEOUT_MS));
      let responds = await this.#ask(request);
      if (!responds && !this.down && performance.now() - start < CONFIRM_MS) {
        await new Promise((resolve) => setTimeout(resolve, CONFIRM_MS));
        responds = await this.#ask(request);
      }
      clearTimeout(silence);
      clearTimeout(end);
      if (responds && silent) this.#silence = TIMEOUT_MS;
      this.#update(request, !responds);
    }

    cancel() {
      this.#request?.abort();
      this.#request = null;
    }

    reset() {
      this.cancel();
      this.down = false;
    }

    // Whether there is a response. A proxy sends 502 and the like for a server that is down.
    async #ask({ signal }) {
      try {
        const options = { method: this.method, cache: "no-store", redirect: "manual", signal };
        return (await fetch(this.url, options)).status < 500;
      } catch {
        return false;
      }
    }

    #update(request, down) {
      if (request !== this.#request || down === this.down) return;
      this.down = down;
      this.since = performance.now();
      draw();
    }
  }

  const portal = new Server(`${location.origin}${addresses.portal}/_stcore/health`, "GET");
  const api = new Server(`${addresses.api}/healthz`, "OPTIONS"); // GET would ask the database as well
  let timer = null;
  let turn = 0; // number of rounds that were started
  let uploaded = 0; // bytes
  let connected = false; // whether Streamlit was connected before
  let disconnectedAt = null; // while Streamlit is not connected
  let shown = ""; // key of the text in the bar
  let hiding = null;

  // ---- checks ----

  const hidden = () => document.visibilityState === "hidden";

  function noteStreamlit() {
    const state = document.querySelector("[data-test-connection-state]")?.dataset.testConnectionState;
    if (state === "CONNECTED") [connected, disconnectedAt] = [true, null];
    else if (state) disconnectedAt ??= performance.now();
    return state;
  }

  function uploadsProgress() {
    const before = uploaded;
    uploaded = (window.rundeskUploads?.tasks ?? []).reduce((sum, task) => sum + task.done, 0);
    return uploaded > before;
  }

  // Check both servers, and again after the interval. The API is checked only for what needs it.
  async function round() {
    stop();
    if (hidden()) return;
    const own = turn;
    const start = performance.now();
    const limit = uploadsProgress() ? UPLOAD_TIMEOUT_MS : undefined;
    const needed = document.querySelector(NEEDS_API) !== null;
    if (!needed) api.reset();
    await Promise.all([portal.check(limit), needed && api.check(limit)]);
    if (own !== turn) return;
    draw();
    timer = setTimeout(round, Math.max(0, start + INTERVAL_MS - performance.now()));
  }

  function stop() {
    clearTimeout(timer);
    turn += 1;
    portal.cancel();
    api.cancel();
  }

  function restart() {
    disconnectedAt = null; // Streamlit does not reconnect in a hidden page
    round();
  }

  function problem() {
    const state = noteStreamlit();
    if (portal.down) return "portal";
    if (disconnectedAt !== null) {
      const now = performance.now();
      const patient = now - Math.max(disconnectedAt, portal.since) < RELOAD_MS;
      if (!patient || state === "DISCONNECTED_FOREVER") return "reload";
      if (connected && (shown === "portal" || now - disconnectedAt > RECONNECT_MS)) return "portal";
    }
    return api.down ? "api" : "";
  }

  // ---- the bar ----

  const bar = document.createElement("div");
  bar.className = "rundesk-connection";
  bar.setAttribute("role", "status");
  bar.setAttribute("aria-live", "polite");
  bar.dataset.reactAriaTopLayer = "true"; // usable while a dialog is open
  document.body.append(bar);

  function draw() {
    const before = shown;
    const now = problem();
    if (now !== before && (now || before !== "restored")) {
      const restored = !now && (before !== "api" || document.querySelector(NEEDS_API) !== null);
      clearTimeout(hiding);
      show(restored ? "restored" : now);
      if (restored) hiding = setTimeout(() => show(""), RESTORED_MS);
    }
    showFiles();
  }

  function show(key) {
    shown = key;
    bar.dataset.shows = key;
    const text = document.createElement("span");
    text.textContent = TEXTS[key];
    bar.replaceChildren(...(key ? [text] : []));
    if (key === "reload") {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = RELOAD;
      button.onclick = () => location.reload();
      bar.append(button);
    }
    moveContent();
    closeDialog();
  }

  // Move the page below the bar. What a scrolled page shows stays where it is, as does the field with the
  // focus, unless the header of the page would cover it.
  function moveContent() {
    const root = document.documentElement;
    const before = parseFloat(root.style.getPropertyValue("--rundesk-connection")) || 0;
    const height = bar.offsetHeight;
    if (height === before) return;
    const page = document.querySelector('[data-testid="stMain"]');
    const field = page?.contains(document.activeElement) && isVisible(document.activeElement, page);
    const scrolled = page?.scrollTop;
    root.style.setProperty("--rundesk-connection", `${height}px`);
    if (field || scrolled > 0) page.scrollTop = scrolled + height - before;
    if (field) uncover(document.activeElement, page);
  }

  function isVisible(field, page) {
    const [inner, outer] = [field.getBoundingClientRect(), page.getBoundingClientRect()];
    return inner.bottom > outer.top && inner.top < outer.bottom;
  }

  function uncover(field, page) {
    const header = document.querySelector(".stAppHeader")?.getBoundingClientRect().bottom ?? 0;
    page.scrollTop -= Math.max(0, header + FOCUS_MARGIN_PX - field.getBoundingClientRect().top);
  }

  // Draw attention to the bar; screen readers read its text again.
  function emphasize() {
    const text = bar.querySelector("span");
    bar.classList.add("emphasized");
    setTimeout(() => bar.classList.remove("emphasized"), EMPHASIS_MS);
    if (!text) return;
    const { textContent } = text;
    text.textContent = "";
    requestAnimationFrame(() => (text.textContent = textContent));
  }

  // Close Streamlit's dialog, which does not open again before the next loss of the connection.
  function closeDialog() {
    if (!["portal", "reload"].includes(shown)) return;
    for (const dialog of document.querySelectorAll('[data-testid="stDialog"]')) {
      if (dialog.querySelector("[slot=title]")?.textContent !== DIALOG_TITLE) continue;
      dialog.querySelector('button[aria-label="Close"]')?.click();
    }
  }

  // ---- reports and downloads ----

  const loaded = new WeakMap(); // the address of each frame that was there while the API responded
  const ofApi = (url) => String(url).startsWith(files);

  // The elements that match, also those in our components.
  function parts(selector) {
    const hosts = document.querySelectorAll('[data-testid="stBidiComponentIsolated"]');
    const roots = [document, ...[...hosts].map((host) => host.shadowRoot).filter(Boolean)];
    return roots.flatMap((root) => [...root.querySelectorAll(selector)]);
  }

  // Show a sentence in frames that could not be loaded; load them and pictures when the API responds.
  function showFiles() {
    for (const frame of parts("iframe[src]").filter(({ src }) => ofApi(src))) {
      if (!api.down) {
        loaded.set(frame, frame.src);
        if (frame.dataset.unavailable) frame.removeAttribute("srcdoc");
        delete frame.dataset.unavailable;
      } else if (loaded.get(frame) !== frame.src && !frame.dataset.unavailable) {
        frame.dataset.unavailable = "true";
        frame.srcdoc = UNAVAILABLE;
      }
    }
    for (const image of parts("img[src]").filter(({ src }) => ofApi(src))) {
      if (api.down && image.complete && !image.naturalWidth) {
        image.dataset.unavailable = "true";
      } else if (!api.down && image.dataset.unavailable) {
        delete image.dataset.unavailable;
        image.src = String(image.src);
      }
    }
  }

  // Whether this address cannot be opened now.
  function refuses(url) {
    if (!api.down || !ofApi(url)) return false;
    emphasize();
    return true;
  }

  function clickLink(event) {
    const link = event.composedPath().find((part) => part instanceof HTMLAnchorElement);
    if (!link || !refuses(link.href)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }

  const open = window.open; // opens the links in tables
  window.open = (url, ...rest) => (refuses(url) ? null : open.call(window, url, ...rest));
  window.addEventListener("click", clickLink, true);
  window.addEventListener("auxclick", clickLink, true);

  // ---- start ----

  new ResizeObserver(moveContent).observe(bar);
  new MutationObserver(closeDialog).observe(document.body, { childList: true, subtree: true });
  new MutationObserver(() => {
    const before = disconnectedAt;
    noteStreamlit();
    if (connected && (before === null) !== (disconnectedAt === null)) round();
  }).observe(document, { attributes: true, attributeFilter: ["data-test-connection-state"], subtree: true });
  document.addEventListener("visibilitychange", () => (hidden() ? stop() : restart()));
  window.addEventListener("offline", round);
  window.addEventListener("online", round);
  window.addEventListener("pagehide", stop);
  window.addEventListener("pageshow", ({ persisted }) => persisted && restart());
  round();
})();
