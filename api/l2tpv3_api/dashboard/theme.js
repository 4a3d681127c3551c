// Dark, light, or as the system has it. What was chosen is remembered on this device.

const KEY = 'l2tpv3-theme';
const ORDER = ['system', 'light', 'dark'];
const dark = matchMedia('(prefers-color-scheme: dark)');

const chosen = () => { const word = localStorage.getItem(KEY); return ORDER.includes(word) ? word : 'system'; };

function put() {
  const word = chosen();
  document.documentElement.dataset.theme = word === 'system' ? (dark.matches ? 'dark' : 'light') : word;
}

/** Wire the button up, and call `changed` when colours have changed. */
export function theme(button, changed) {
  const label = () => { const words = `Theme: ${chosen()}`; button.setAttribute('aria-label', words); button.title = words; };
  button.addEventListener('click', () => {
    localStorage.setItem(KEY, ORDER[(ORDER.indexOf(chosen()) + 1) % ORDER.length]);
    put();
    label();
    changed();
  });
  dark.addEventListener('change', () => { put(); changed(); });
  label();
  button.hidden = false;
}

put();
