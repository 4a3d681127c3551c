// One plot that moves: what came in and what went out, over the last minutes.

import uPlot from './vendor/uplot/uPlot.esm.js';
import { h, text } from './dom.js';
import { tick } from './format.js';

const WINDOW_S = 120;

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** Plots of {title, series: [[key, label, colour variable, dash]], unit: number → text}. */
export class Plot {
  constructor({ title, series, unit }) {
    this.series = series;
    this.unit = unit;
    this.history = null;
    this.values = series.map(() => h('b', { class: 'num' }, '–'));
    const legend = series.map(([key, label], i) => h('span', { class: `legend ${key}` }, h('i', { 'aria-hidden': 'true' }), label, ' ', this.values[i]));
    this.box = h('div', { class: 'canvas', 'aria-hidden': 'true' });
    this.element = h('figure', { class: 'plot panel' }, h('figcaption', {}, h('h2', {}, title), h('span', { class: 'legends' }, legend)), this.box);
    this.watch = new ResizeObserver(() => this.#fit());
    this.watch.observe(this.box);
  }

  /** Show this history from now on. */
  show(history) {
    this.history = history;
    this.update();
  }

  /** Draw what is new. Called once a frame at most. */
  update() {
    if (!this.history) return;
    const data = this.history.data(...this.series.map(([key]) => key));
    this.values.forEach((output, i) => {
      const column = data[i + 1];
      text(output, column.length && column.at(-1) !== null ? this.unit(column.at(-1)) : '–');
    });
    if (this.plot) this.plot.setData(data);
    else this.#make(data);
  }

  /** Colours come from the style sheet, so a change of theme means a new plot. */
  recolour() {
    this.plot?.destroy();
    this.plot = null;
    this.update();
  }

  destroy() {
    this.watch.disconnect();
    this.plot?.destroy();
    this.plot = null;
    this.history = null;
  }

  #fit() {
    const width = Math.floor(this.box.clientWidth);
    if (this.plot && width > 0 && width !== this.plot.width) this.plot.setSize({ width, height: this.box.clientHeight });
    else if (!this.plot) this.update();
  }

  #make(data) {
    const width = Math.floor(this.box.clientWidth);
    if (width <= 0 || !this.box.isConnected) return;
    const grid = { stroke: css('--line'), width: 1 };
    const axis = { stroke: css('--dim'), grid, ticks: { ...grid, size: 4 }, font: `11px ${css('--mono')}` };
    this.plot = new uPlot({
      width,
      height: this.box.clientHeight,
      legend: { show: false },
      cursor: { y: false, points: { size: 7 } },
      padding: [8, 30, 0, 0],
      scales: {
        x: { time: true, range: (_, low, high) => { const end = Number.isFinite(high) ? high : Date.now() / 1000; return [end - WINDOW_S, end]; } },
        y: { range: (_, low, high) => [0, Math.max(10, (high || 0) * 1.15)] },
      },
      axes: [
        { ...axis, space: 90, size: 26, values: (_, times) => times.map((t) => new Date(t * 1000).toLocaleTimeString('en-GB')) },
        { ...axis, size: 56, space: 32, values: (_, ticks) => ticks.map(tick) },
      ],
      series: [{}, ...this.series.map(([, label, colour, dash], i) => ({
        label,
        stroke: css(colour),
        fill: i === 0 ? `${css(colour)}22` : undefined,
        width: 1.75,
        dash,
        points: { show: false },
        spanGaps: false,
      }))],
    }, data, this.box);
  }
}

/** The two plots that each view shows of a history: throughput and packets. */
export function pair(unitBits, unitPackets) {
  return [
    new Plot({ title: 'Throughput', unit: unitBits, series: [['rx', 'in', '--accent', undefined], ['tx', 'out', '--second', [6, 3]]] }),
    new Plot({ title: 'Packets', unit: unitPackets, series: [['rxp', 'in', '--accent', undefined], ['txp', 'out', '--second', [6, 3]], ['bad', 'trouble', '--bad', [2, 2]]] }),
  ];
}
