// What was typed counts when a button is pressed, however soon. Streamlit takes a text when its
// field is left, a cell some time later, and drops a value of several that was not entered.
(() => {
  const SETTLES = 300; // ms; Streamlit takes an edited cell 150 ms after the edit
  const FIELDS = "input:not([type=checkbox], [type=radio], [type=file]), textarea";
  const STILL = 6; // px that a pointer may move while it presses
  let edited = -Infinity; // when a cell of a table was typed into
  let down = null; // the button that the pointer went down on, and where

  const widget = (element) => element.closest('[data-testid="stElementContainer"]');

  function enter(input) {
    const list = document.getElementById(input.getAttribute("aria-controls") || "");
    const options = list ? [...list.querySelectorAll("[role=option]")] : [];
    const named = (text) => options.find((option) => option.textContent === text);
    if (named(`Add: ${input.value}`)) (named(input.value) || named(`Add: ${input.value}`)).click();
  }

  function left(event) {
    const several = event.target.matches?.('[data-testid="stMultiSelect"] input');
    if (several && event.isTrusted && event.target.value.trim()) enter(event.target); // not its menu's
  }

  function pressed(event) {
    const button = event.target.closest?.("button, a");
    if (!button) return;
    const field = document.activeElement;
    const typing = field?.matches(FIELDS) && widget(field) && widget(field) !== widget(button);
    const wait = edited + SETTLES - performance.now();
    if (!typing && wait <= 0) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    edited = -Infinity;
    field?.blur();
    setTimeout(() => button.click(), Math.max(0, wait));
  }

  function cell(event) {
    if (document.querySelector("#portal :is(textarea, input)") || event.target.closest?.(".stDataFrame")) {
      edited = performance.now();
    }
  }

  // Leaving a field may move the button away below the pointer: the browser then tells of no click.
  function released({ clientX, clientY, target }) {
    const still = down && Math.hypot(clientX - down.x, clientY - down.y) < STILL;
    if (still && down.button.isConnected && !down.button.contains(target)) down.button.click();
    down = null;
  }

  window.addEventListener("pointerdown", ({ clientX: x, clientY: y, target, button: key }) => {
    const button = key === 0 && target.closest?.(".stButton button:not(:disabled)");
    down = button ? { button, x, y } : null;
  }, true);
  window.addEventListener("pointerup", released, true);
  window.addEventListener("focusout", left, true);
  window.addEventListener("keydown", (event) => event.key === "Tab" && left(event), true);
  window.addEventListener("click", pressed, true);
  for (const kind of ["keydown", "pointerdown", "paste"]) window.addEventListener(kind, cell, true);
})();
