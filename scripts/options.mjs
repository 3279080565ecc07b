// node scripts/options.mjs (after npm run build:ts)
// Writes the tables of options in README.md and docs/options.md, made from lib/options/table; a test compares.
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { TABLE } from '../dist/options/table/index.js';
import { defaultText, valueText } from '../dist/options/words.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const BEGIN = '<!-- options -->';
const END = '<!-- /options -->';
/** The groups that README.md shows; docs/options.md has all. */
const SHOWN = ['generate', 'reference'];

/** @param {string} text */
const cell = (text) => text.replaceAll('|', '\\|').replaceAll('<', '\\<');

/** One table of options. @param {import('../dist/options/row.js').Group} group */
export const tableOf = ({ rows }) => {
  const lines = Object.entries(rows).map(([name, row]) => {
    const flag = typeof row.flag === 'string' ? `\`${row.flag.replaceAll('|', '\\|')}\`` : '–';
    return `| \`${name}\` | ${cell(valueText(row))} | ${cell(defaultText(row) ?? '–')} | ${flag} | ${row.acts} | ${cell(row.says)} |`;
  });
  return [
    '| option | value | default | command line | acts on | what it does |',
    '|---|---|---|---|---|---|',
    ...lines,
  ].join('\n');
};

/** README.md with its tables made anew. @param {string} readme @param {Record<string, import('../dist/options/row.js').Group>} table */
export const withTables = (readme, table = TABLE) => {
  const [from, to] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (from < 0 || to < from) throw new Error(`README.md has no ${BEGIN} … ${END}`);
  const tables = SHOWN.map((name) => `\`${table[name].call}\`:\n\n${tableOf(table[name])}\n`).join('\n');
  return `${readme.slice(0, from + BEGIN.length)}\n${tables}${readme.slice(to)}`;
};

/** docs/options.md. @param {Record<string, import('../dist/options/row.js').Group>} table */
export const allOptions = (table = TABLE) =>
  `# Options\n\nEvery option of the library and of its command line, made from \`lib/options/table\` by \`node scripts/options.mjs\`.\n\n${Object.values(
    table,
  )
    .map((group) => `## ${group.call.replaceAll('<', '\\<')}\n\n${tableOf(group)}\n`)
    .join('\n')}`;

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const readme = path.join(root, 'README.md');
  writeFileSync(readme, withTables(readFileSync(readme, 'utf8')));
  writeFileSync(path.join(root, 'docs/options.md'), allOptions());
}
