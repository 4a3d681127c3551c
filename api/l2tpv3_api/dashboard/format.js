// Values as people read them: units stand with each, and the widths stay the same from one second to the next.

const COUNT = new Intl.NumberFormat('en', { useGrouping: true });

/** 1234567 → "1,234,567". */
export const count = (n) => (n === null || n === undefined ? '–' : COUNT.format(n));

/** A number with an SI prefix and three digits: 12345 → "12.3 k". */
export function si(n, unit = '') {
  if (n === null || n === undefined || Number.isNaN(n)) return '–';
  let i = 0;
  let value = n;
  while (value >= 999.5 && i < 5) { value /= 1000; i += 1; }
  const whole = i === 0 && Number.isInteger(value);
  const digits = whole || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${['', 'k', 'M', 'G', 'T', 'P'][i]}${unit}`.trimEnd();
}

/** A number on an axis: as short as it can be. */
export function tick(n) {
  const [digits, prefix = ''] = si(n).split(' ');
  return `${Number(digits)}${prefix && ` ${prefix}`}`;
}

/** Bits per second. */
export const bits = (n) => si(n, 'b/s');

/** Packets per second. */
export const packets = (n) => si(n, 'p/s');

/** An amount of bytes. */
export const bytes = (n) => si(n, 'B');

/** A limit in bytes: 16777216 → "16 MiB". */
export function binary(n) {
  let [value, i] = [n, 0];
  while (value >= 1024 && i < 4) { value /= 1024; i += 1; }
  return `${Number(value.toFixed(1))} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][i]}`;
}

/** The time zone that times are shown in. */
export const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** The time of day of a Date. */
export const clock = (date) => date.toLocaleTimeString('en-GB', { hour12: false });

/** Date and time, as in logs. */
export const stamp = (date) => `${date.toLocaleDateString('sv')} ${clock(date)}`;

/** How long ago something was: "3 s", "12 min", "5 h", "9 d". */
export function age(seconds) {
  const [unit, length] = seconds < 100 ? ['s', 1] : seconds < 6000 ? ['min', 60] : seconds < 172800 ? ['h', 3600] : ['d', 86400];
  return `${Math.floor(seconds / length)} ${unit}`;
}

/** "1 session", "2 sessions". */
export const many = (n, one, more = `${one}s`) => `${count(n)} ${n === 1 ? one : more}`;

/** Cut a text to so many characters. */
export const cut = (text, length) => (text.length <= length ? text : `${text.slice(0, Math.max(1, length - 1))}…`);
