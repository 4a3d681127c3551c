// The tabs of this browser among themselves. A token is kept for one tab: a new one asks the others for theirs, and who
// logs out does so in all of them. Only pages of this service's own origin hear of it.

const WAIT_MS = 400;

const channel = new BroadcastChannel('l2tpv3');

/** Answer new tabs with what `token()` gives, and call `leave` when another tab logs out. */
export function beOneOfTheTabs(token, leave) {
  channel.addEventListener('message', ({ data }) => {
    if (data?.ask === true && token()) channel.postMessage({ token: token() });
    if (data?.leave === true && token()) leave();
  });
}

/** The token that another tab has; null where none answers. */
export function tokenOfAnotherTab() {
  return new Promise((resolve) => {
    const done = (token) => { channel.removeEventListener('message', hear); clearTimeout(timer); resolve(token); };
    const hear = ({ data }) => { if (typeof data?.token === 'string') done(data.token); };
    const timer = setTimeout(() => done(null), WAIT_MS);
    channel.addEventListener('message', hear);
    channel.postMessage({ ask: true });
  });
}

/** Tell the others that this one logs out. */
export const leaveAll = () => channel.postMessage({ leave: true });
