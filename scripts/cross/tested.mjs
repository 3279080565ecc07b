// What was tried of the addon on which machine, and how: docs/machines.json. Tests tell it; README.md shows it
// (scripts/machines-table.mjs).
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { MACHINES, machine } from './machines.mjs';
import { root } from './package.mjs';

/** Ways to run a program of a machine, in the order of the table. */
export const HOW = /** @type {const} */ (['itself', 'qemu-user', 'wine', 'not run']);
/** What was run, in the order of the table; the last two look at a file without running it. */
export const WHAT = /** @type {const} */ ([
  'native tests',
  'golden cases',
  'doctor',
  'portrait',
  'linked, imports and signature checked',
  'linked',
]);

/**
 * @typedef {object} Tested
 * @property {typeof HOW[number]} how
 * @property {typeof WHAT[number]} what
 * @property {string} [node] version of the Node that ran it, such as `22.23.3`; absent where none did
 */

/**
 * @typedef {object} Row
 * @property {string} name that of scripts/cross/machines.mjs
 * @property {string} needs the oldest system it runs on
 * @property {string} node versions of Node, as `engines` of package.json says them
 * @property {Tested[]} tested
 */

export const tableFile = path.join(root, 'docs', 'machines.json');
const PATIENCE = 10_000; // ms; writing takes one

/** @returns {Row[]} */
export const readMachines = (file = tableFile) => JSON.parse(readFileSync(file, 'utf8'));

const major = (/** @type {Tested} */ { node = '' }) => node.split('.')[0];

/** @param {readonly string[]} known @param {string} word @param {string} field */
const check = (known, word, field) => {
  if (!known.includes(word)) throw new Error(`${field} "${word}" is not one of ${known.join(', ')}`);
};

/**
 * The rows with one more. It takes the place of an older one of the same kind and major version of Node; that nothing was
 * run holds until something is.
 * @param {readonly Tested[]} rows @param {Tested} row
 */
export function merged(rows, { how, what, node }) {
  check(HOW, how, 'how');
  check(WHAT, what, 'what');
  const row = { how, what, ...(node ? { node: node.replace(/^v/, '') } : {}) }; // process.version has a v
  if (how === 'not run' && rows.some((old) => old.how !== 'not run')) return [...rows];
  const kept = rows.filter((old) => {
    if (old.how === 'not run') return false;
    return old.how !== how || old.what !== what || major(old) !== major(row);
  });
  const place = (/** @type {Tested} */ one) => [HOW.indexOf(one.how), WHAT.indexOf(one.what), Number(major(one))];
  const order = (/** @type {Tested} */ a, /** @type {Tested} */ b) => {
    const [mine, other] = [place(a), place(b)];
    return mine.map((number, i) => number - other[i]).find((difference) => difference !== 0) ?? 0;
  };
  return [...kept, row].sort(order);
}

/** @param {readonly Row[]} rows */
const text = (rows) => {
  const line = (/** @type {object} */ one) => JSON.stringify(one, null, 1).replace(/\n */g, ' ');
  const tested = (/** @type {Row} */ row) =>
    row.tested.length === 0 ? '[]' : `[\n      ${row.tested.map(line).join(',\n      ')}\n    ]`;
  const field = (/** @type {string} */ name, /** @type {string} */ value) =>
    `    "${name}": ${JSON.stringify(value)},\n`;
  const fields = (/** @type {Row} */ row) =>
    field('name', row.name) + field('needs', row.needs) + field('node', row.node);
  return `[\n${rows.map((row) => `  {\n${fields(row)}    "tested": ${tested(row)}\n  }`).join(',\n')}\n]\n`;
};

/** Test files run side by side: one after the other reads, changes and writes. @param {string} file @param {() => void} work */
function alone(file, work) {
  const lock = `${file}.lock`;
  for (const started = Date.now(); ; ) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (Date.now() - started > PATIENCE) throw new Error(`somebody holds ${lock}; delete it if nobody does`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
  try {
    work();
  } finally {
    rmSync(lock, { recursive: true });
  }
}

/**
 * Writes into docs/machines.json what a test saw run, where IPA_RECORD_MACHINES is 1; elsewhere it does nothing.
 * @param {string} name of a machine @param {Tested} row @param {string} [file]
 */
export function recordTested(name, row, file = tableFile) {
  machine(name);
  merged([], row);
  if (process.env.IPA_RECORD_MACHINES !== '1') return;
  alone(file, () => {
    const rows = readMachines(file);
    const found = rows.find((one) => one.name === name);
    if (!found) throw new Error(`${file} has no row ${name}`);
    found.tested = merged(found.tested, row);
    rows.sort(
      (a, b) => MACHINES.findIndex((one) => one.name === a.name) - MACHINES.findIndex((one) => one.name === b.name),
    );
    writeFileSync(`${file}.part`, text(rows));
    renameSync(`${file}.part`, file);
  });
}
