// The Tab key passes by tables that have a list of their rows beside them (ui/parts/keyboard_list.py).
(() => {
  const LIST = /\bst-key-reach-(\S+)/;

  function pass() {
    for (const list of document.querySelectorAll('[class*="st-key-reach-"]')) {
      const table = LIST.exec(list.className)[1];
      for (const canvas of document.querySelectorAll(`.st-key-${table} canvas[tabindex="0"]`)) {
        canvas.tabIndex = -1;
      }
    }
  }

  new MutationObserver(pass).observe(document, { childList: true, subtree: true });
})();
