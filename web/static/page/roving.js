// One tab stop for a group of buttons: the arrow keys, Home and End move among them.

const STEPS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, Home: -Infinity, End: Infinity };

/** Make the buttons in `group` that match `selector` one tab stop, including those that are added later. */
export function oneTabStop(group, selector) {
  const isShown = (button) => button.getClientRects().length > 0;
  const all = () => [...group.querySelectorAll(selector)].filter(isShown);
  let current = null;

  function choose(button) {
    if (button === current) return;
    if (current) current.tabIndex = -1;
    current = button;
    if (button) button.tabIndex = 0;
  }

  const observe = () => {
    for (const button of group.querySelectorAll(selector)) if (button !== current) button.tabIndex = -1;
    // While nobody is in the list, its first button is the tab stop: where one came from makes no difference.
    if (!group.contains(document.activeElement) || !group.contains(current)) choose([...group.querySelectorAll(selector)].find(isShown) ?? null);
  };
  new MutationObserver(observe).observe(group, { childList: true, subtree: true });
  new ResizeObserver(observe).observe(group); // buttons may leave and come back with the window's width
  observe();
  group.addEventListener("focusin", (event) => event.target.matches(selector) && choose(event.target));
  group.addEventListener("keydown", (event) => {
    if (!(event.key in STEPS) || event.shiftKey || event.ctrlKey || event.metaKey || event.altKey || !event.target.matches(selector)) return;
    event.preventDefault(); // the page's own shortcuts, and scrolling
    const buttons = all();
    const at = buttons.indexOf(event.target) + STEPS[event.key];
    buttons[Math.max(0, Math.min(buttons.length - 1, at))]?.focus();
  });
}
