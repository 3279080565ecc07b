// Whether a prebuilt addon can be loaded where it is promised to be: what it asks of a machine, read from the file itself.
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { DamagedFile } from './reader.mjs';
import { about, limitsOf, SYSTEMS, when } from './systems.mjs';

const MOST_BYTES = 6e6; // of one addon
/** What Node looks for in an addon. */
export const ENTRIES = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];

/** Folders of this machine; a home that is the whole disk tells nothing. */
const HERE = [
  fileURLToPath(new URL('../..', import.meta.url)).replace(/[/\\]$/, ''),
  path.join(os.homedir(), path.sep),
].filter((folder) => folder.length > 1);

/** Paths that say where or by whom a file was built. @param {Buffer} bytes @param {readonly string[]} folders */
function folderComplaints(bytes, folders) {
  const told = folders.filter((folder) => bytes.includes(folder) || bytes.includes(folder, 0, 'utf16le'));
  const [home] = /\/(?:home|Users)\/[\w.-]+\/|\/root\/|[A-Za-z]:\\Users\\/.exec(bytes.toString('latin1')) ?? [];
  return about('holds the path', home ? [...told, home] : told, 'no folder of the machine that built it is allowed');
}

/**
 * @param {import('./machines.mjs').Machine} machine
 * @param {Uint8Array} bytes
 * @param {object} [options]
 * @param {string} [options.name] of the file, for complaints
 * @param {string} [options.oldest] version of its system that it must run on, where it is another than the machine's
 * @param {readonly string[]} [options.folders] that it must not name
 * @returns {{ complaints: string[], summary: string }}
 */
export function checkFile(machine, bytes, options = {}) {
  const limits = limitsOf(machine);
  const { name = `${machine.folder}/${machine.file}`, oldest = limits.oldest } = options;
  const { folders = HERE } = options;
  const { read, needs, rules } = SYSTEMS[limits.system];
  const size = `${(bytes.length / 1e6).toFixed(1)} MB`;
  let file;
  try {
    file = read(bytes);
  } catch (error) {
    if (!(error instanceof DamagedFile)) throw error;
    const text = `cannot be read as an addon of ${machine.name}: ${error.message}`;
    return { complaints: [`${name}: ${text}`], summary: `${name}: ${text}` };
  }
  const exported = file.exported.map((symbol) => (limits.system === 'macos' ? symbol.replace(/^_/, '') : symbol));
  const complaints = [
    ...when(file.cpu !== limits.cpu, `is for ${file.cpu}; ${machine.name} is ${limits.cpu}`),
    ...when(!file.shared, 'is no library that a program can load'),
    ...about(
      'exports',
      exported.filter((symbol) => !ENTRIES.includes(symbol)),
      `only ${ENTRIES.join(', ')} are allowed`,
    ),
    ...about(
      'lacks',
      ENTRIES.filter((symbol) => !exported.includes(symbol)),
      'Node looks for them',
    ),
    ...rules.flatMap((rule) => rule(file, { ...limits, oldest })),
    ...when(bytes.length > MOST_BYTES, `has ${bytes.length} bytes; ${MOST_BYTES} are allowed`),
    ...folderComplaints(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), folders),
  ];
  return {
    complaints: complaints.map((text) => `${name}: ${text}`),
    summary: `${name}: needs ${needs(file)}; ${size}`,
  };
}
