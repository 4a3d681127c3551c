// Why the page does not start. The only classic script: it runs where no module is let through, as behind a reverse
// proxy that refuses them, and in a browser that knows none. main.js says so when it has started.

(() => {
  const started = () => document.body?.dataset.started === 'yes';

  /** The scripts that the service, or a proxy before it, did not give, each with the status that came instead. */
  function refused() {
    const found = performance.getEntriesByType('resource').filter((one) => /\.js$/.test(new URL(one.name).pathname) && one.responseStatus >= 400);
    return found.map((one) => `${new URL(one.name).pathname} was answered with status ${one.responseStatus}`);
  }

  function say(why) {
    const place = document.getElementById('starting');
    if (started() || !place) return;
    place.classList.remove('late');
    place.setAttribute('role', 'alert');
    const line = document.createElement('p');
    line.textContent = why;
    place.append(line);
    const link = document.querySelector('#link .words');
    link.textContent = 'not started';
    document.getElementById('link').dataset.state = 'waiting';
    document.querySelector('#link .shape').textContent = '✕';
  }

  window.addEventListener('error', (event) => {
    if (event.target instanceof HTMLScriptElement) {
      const reasons = refused();
      say(`${reasons.length ? reasons.join('; ') : `${new URL(event.target.src).pathname}, or what it needs, could not be loaded`}.`);
    } else if (event.message && !(event.target instanceof Element)) {
      say(`${event.message} (${event.filename ? new URL(event.filename, location.href).pathname : 'no file'}, line ${event.lineno}).`);
    }
  }, true);
  if (!('noModule' in HTMLScriptElement.prototype)) window.addEventListener('DOMContentLoaded', () => say('This browser is too old for it: it knows no modules.'));
})();
