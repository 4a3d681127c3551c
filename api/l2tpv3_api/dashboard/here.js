// Which host this page is of: named wherever one could take it for another.

let name = '';

/** The host's name, as the service tells it; the address until then. */
export const here = () => name || location.host;

/** Show from now on that this is the page of that host. */
export function setHere(hostname) {
  name = hostname;
  const place = document.getElementById('here');
  place.textContent = here();
  place.title = `${here()}, at ${location.host}`;
}

/** The title of the window or tab: what is shown, and of which host. */
export function setTitle(words) {
  document.title = `${words} · ${here()} · l2tpv3`;
}
