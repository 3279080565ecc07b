// node scripts/machines-table.mjs
// Writes the table of machines in README.md, made from docs/machines.json; a test compares. What tests saw run comes into
// that file by IPA_RECORD_MACHINES=1 npm test (scripts/cross/tested.mjs).
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './cross/package.mjs';
import { HOW, readMachines } from './cross/tested.mjs';

const BEGIN = '<!-- machines -->';
const END = '<!-- /machines -->';

/** What was run in one way: what the same versions of Node ran stands together. @param {readonly import('./cross/tested.mjs').Tested[]} rows */
const ran = (rows) => {
  /** @type {{ whats: string[], nodes: string }[]} */
  const groups = [];
  for (const what of new Set(rows.map((row) => row.what))) {
    const nodes = rows.flatMap((row) => (row.what === what && row.node ? [row.node] : [])).join(', ');
    const last = groups.at(-1);
    if (last?.nodes === nodes) last.whats.push(what);
    else groups.push({ whats: [what], nodes });
  }
  return groups.map(({ whats, nodes }) => whats.join(', ') + (nodes && ` (Node ${nodes})`)).join('; ');
};

/** @param {readonly import('./cross/tested.mjs').Tested[]} tested */
const cell = (tested) => {
  const ways = HOW.map((how) => ({ how, rows: tested.filter((row) => row.how === how) }));
  const told = ways.filter(({ rows }) => rows.length > 0).map(({ how, rows }) => `${how}: ${ran(rows)}`);
  return told.join('<br>') || 'nothing so far';
};

/** @param {readonly import('./cross/tested.mjs').Row[]} rows */
export const machinesTable = (rows) =>
  [
    '| machine | needs | Node | tested on |',
    '|---|---|---|---|',
    ...rows.map(
      (row) => `| \`${row.name}\` | ${row.needs} | \`${row.node.replaceAll('|', '\\|')}\` | ${cell(row.tested)} |`,
    ),
  ].join('\n');

/** README.md with its table made anew. @param {string} readme @param {readonly import('./cross/tested.mjs').Row[]} rows */
export const withMachines = (readme, rows) => {
  const [from, to] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`README.md has no ${BEGIN} … ${END}`);
  return `${readme.slice(0, from + BEGIN.length)}\n${machinesTable(rows)}\n${readme.slice(to)}`;
};

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const readme = path.join(root, 'README.md');
  writeFileSync(readme, withMachines(readFileSync(readme, 'utf8'), readMachines()));
}
