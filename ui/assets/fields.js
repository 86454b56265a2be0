// Fields of forms: the arrow keys change numbers in sensible steps, and a refused form scrolls to the
// first field that has a problem.
(() => {
  const NUMBERS = '[class*="st-key-number-"] input';
  const MAX_WAIT_MS = 2000; // until a field in a folded section is visible
  let pointed = ""; // the refusal whose field was focused last

  function setText(input, text) {
    Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(input, text);
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  // 7.5 → 0.1, 300 → 10, 0 → 0.1: a tenth of the order of magnitude.
  const decimalStep = (value) => (value ? 10 ** (Math.floor(Math.log10(Math.abs(value))) - 1) : 0.1);

  function stepped(text, direction, kind, fast) {
    const value = Number(text);
    if (!text.trim() || !Number.isFinite(value)) return text;
    if (kind === "integer") return Number.isInteger(value) ? String(value + direction * (fast ? 10 : 1)) : text;
    if (kind === "power" && value > 0) return String(Number((value * 10 ** direction).toPrecision(12)));
    return String(Number((value + direction * decimalStep(value) * (fast ? 10 : 1)).toPrecision(12)));
  }

  window.addEventListener("keydown", (event) => {
    const direction = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!direction || !event.target.matches?.(NUMBERS) || event.altKey || event.ctrlKey || event.metaKey) return;
    const field = event.target.closest('[class*="st-key-number-"]');
    const kind = /st-key-number-(integer|decimal|power)-/.exec(field.className)?.[1];
    event.preventDefault();
    setText(event.target, stepped(event.target.value, direction, kind, event.shiftKey));
  }, true);

  window.addEventListener("focusin", (event) => {
    if (event.target.matches?.(NUMBERS)) event.target.inputMode = "decimal"; // the keyboard of phones
  }, true);

  function focus(field) {
    field.scrollIntoView({ block: "center" });
    const find = (selector) => field.querySelector(selector);
    const target = find("input, textarea, canvas[tabindex]") || find("button:not([aria-label^=Help])") || field;
    if (target === field) field.tabIndex = -1;
    target.focus({ preventScroll: true });
  }

  function point(since) {
    const mark = document.querySelector("[data-problem][data-refusal]");
    if (!mark || mark.dataset.refusal === pointed) return;
    const field = document.querySelector(`.${CSS.escape(mark.dataset.problem)}`);
    if (field?.checkVisibility()) {
      pointed = mark.dataset.refusal;
      focus(field);
    } else if (performance.now() - since < MAX_WAIT_MS) {
      setTimeout(point, 100, since);
    }
  }

  // People do not fill in the hidden field of the form; see typed.js.
  function hideField() {
    const input = document.querySelector(".st-key-shown input"); // drawn later than its container
    if (!input || input.tabIndex === -1) return;
    input.closest(".st-key-shown").ariaHidden = "true";
    input.tabIndex = -1;
  }

  new MutationObserver((changes) => {
    if (!changes.some((change) => change.addedNodes.length)) return;
    hideField();
    point(performance.now());
  }).observe(document, { childList: true, subtree: true });
})();
