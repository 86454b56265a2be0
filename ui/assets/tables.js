// The Tab key skips tables that have a keyboard list of their rows (ui/parts/keyboard_list.py).
(() => {
  const LIST = /\bst-key-reach-(\S+)/;

  function skipTables() {
    for (const list of document.querySelectorAll('[class*="st-key-reach-"]')) {
      const table = LIST.exec(list.className)[1];
      for (const canvas of document.querySelectorAll(`.st-key-${table} canvas[tabindex="0"]`)) {
        canvas.tabIndex = -1;
      }
    }
  }

  new MutationObserver(skipTables).observe(document, { childList: true, subtree: true });
})();
