// Making elements. Text only ever becomes text nodes: nothing that a peer or a user named can become markup.

import { MARKS, wordOf } from './looks.js';

const SVG = 'http://www.w3.org/2000/svg';

function fill(element, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'value' || name === 'checked' || name === 'disabled') element[name] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child);
  }
  return element;
}

/** An HTML element: h('a', {class: 'x', href: '#/', onclick: f}, 'text', h('b')). null and false are left out. */
export function h(tag, props, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** The same for SVG. */
export function s(tag, props, ...children) {
  return fill(document.createElementNS(SVG, tag), props, children);
}

/** Set a text only where it differs: an equal one would cost a layout. */
export function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

/** An icon of icons.svg, by its name; it says nothing to a screen reader. */
export function icon(name) {
  return s('svg', { class: 'icon', 'aria-hidden': 'true', focusable: 'false' }, s('use', { href: `dashboard/icons.svg#${name}` }));
}

/** A state in shape, colour and word. */
export function state(condition, words = wordOf(condition)) {
  return h('span', { class: `state ${condition}` }, mark(condition), h('span', {}, words));
}

/** The shape alone, for places where the word stands elsewhere. */
export function mark(condition) {
  return h('span', { class: `mark ${condition}`, 'aria-hidden': 'true' }, MARKS[condition] ?? '?');
}
