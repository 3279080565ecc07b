// The cases of a folder, whatever it and its files are called.
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { readHeader, readTable, readTensors } from './read.mjs';

/**
 * @typedef {object} Case
 * @property {string} name    path below the folder without extension, with slashes
 * @property {string} file
 * @property {Folder} folder
 * @property {any} info       the metadata entry `case`; undefined of a table
 * @property {any} table      a parsed .json; undefined of a case with tensors
 * @property {readonly string[]} keys  names of its tensors
 */

/** A folder of cases: finds the models and data files that cases name. */
export class Folder {
  #models = new Map();

  /** @param {string} root */
  constructor(root) {
    this.root = path.resolve(root);
  }

  /** models/PREFIX.json, of the folder or its parent. @param {string} prefix */
  model(prefix) {
    const known = this.#models.get(prefix);
    if (known) return known;
    const file = [this.root, path.dirname(this.root)]
      .map((where) => path.join(where, 'models', `${prefix}.json`))
      .find((candidate) => existsSync(candidate));
    if (!file) throw new Error(`no models/${prefix}.json in ${this.root} or its parent`);
    const model = readTable(file);
    this.#models.set(prefix, model);
    return model;
  }

  /** A file named by a case: from the folder, its parent, or beside the case. @param {string} beside @param {string} file */
  data(beside, file) {
    const places = [
      path.join(this.root, file),
      path.join(this.root, '..', file),
      path.join(path.dirname(beside), path.basename(file)),
    ];
    return places.find((place) => existsSync(place)) ?? path.join(this.root, file);
  }
}

/** Data files that a case or table names. @param {any} content @returns {string[]} */
const namedFiles = (content) => [
  ...(typeof content?.file === 'string' ? [content.file] : []),
  ...(Array.isArray(content?.files)
    ? content.files.map((/** @type {any} */ row) => (typeof row === 'string' ? row : row.file))
    : []),
];

/** @param {string} root @returns {Case[]} */
export const casesOf = (root) => {
  const folder = new Folder(root);
  const files = readdirSync(folder.root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => !path.relative(folder.root, file).split(path.sep).slice(0, -1).includes('models'))
    .sort();
  const name = (/** @type {string} */ file) =>
    path.relative(folder.root, file).slice(0, -path.extname(file).length).split(path.sep).join('/');
  /** @type {Set<string>} */
  const data = new Set();
  const claim = (/** @type {string} */ file, /** @type {any} */ content) => {
    for (const named of namedFiles(content)) data.add(folder.data(file, named));
  };
  const tables = files
    .filter((file) => file.endsWith('.json'))
    .map((file) => ({ name: name(file), file, folder, info: undefined, table: readTable(file), keys: [] }));
  for (const { file, table } of tables) claim(file, table);
  const withTensors = files
    .filter((file) => file.endsWith('.safetensors') && !file.endsWith('.file.safetensors') && !data.has(file))
    .map((file) => {
      const { info, entries } = readHeader(file);
      return { name: name(file), file, folder, info, table: undefined, keys: Object.keys(entries) };
    });
  for (const { file, info } of withTensors) claim(file, info);
  return [...tables, ...withTensors]
    .filter(({ file }) => !data.has(file))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
};

/** @param {Case} c */
export const tensorsOf = (c) => readTensors(c.file);
