// What is asked of an addon for another machine where its programs run on this one. What was seen whole is told to
// docs/machines.json (scripts/cross/tested.mjs).
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Test } from 'tap';
import type { Runner } from '../../scripts/cross/run-on.mjs';
import { recordTested, type Tested } from '../../scripts/cross/tested.mjs';
import { machineResults } from '../runner/run.mjs';
import { type App, root, run } from './app.js';

/** A machine of scripts/cross/machines.mjs, and how its programs run here. */
export interface Tried {
  readonly name: string;
  readonly runner: Runner;
}

/** The picture of `npm run quickstart`. */
const PORTRAIT = {
  prompt: 'portrait of a woman, smiling, wearing a blue sweater, green background',
  seed: 2,
};
const ITSELF: Runner = { before: [], how: 'itself', node: () => process.execPath, path: (file) => file };
const REFERENCE = join(root, 'models', 'sketch', 'references', 'person-3-1.png');

const seen = (test: Test, { name, runner }: Tried, what: Tested['what'], node?: string): void => {
  if (test.passing()) recordTested(name, { how: runner.how, what, ...(node && { node }) });
};

const nodeVersion = async ({ runner }: Tried, app: App): Promise<string> => {
  const { stdout } = await run([...runner.before, runner.node!(), '--version'], app.folder);
  return stdout.trim();
};

/** `doctor` names the machine and exactly these levels. */
export const doctor = async (test: Test, tried: Tried, app: App, levels: RegExp): Promise<void> => {
  const { name, runner } = tried;
  const words = [...runner.before, runner.node!(), runner.path(join(app.home, 'dist', 'cli', 'index.js')), 'doctor'];
  const { status, stdout, stderr } = await run(words, app.folder);
  test.equal(status, 0, stderr);
  test.match(stdout, name);
  test.match(stdout, levels);
  seen(test, tried, 'doctor', await nodeVersion(tried, app));
};

/** The quickstart's portrait, drawn there on one level and here on base, differs by 2 grey levels at most. */
export const portrait = async (test: Test, tried: Tried, app: App, level: string): Promise<void> => {
  const draw = async ({ before, node, path }: Runner, at: string, from: string): Promise<Buffer> => {
    const to = join(app.folder, `${at}.raw`);
    const files = [join(app.folder, 'draw.mjs'), to, REFERENCE].map(path);
    const words = [...before, node!(), ...files, JSON.stringify(PORTRAIT), from];
    const { status, stderr } = await run(words, app.folder, { IPA_CPU: at });
    test.equal(status, 0, stderr);
    return readFileSync(to);
  };
  const there = await draw(tried.runner, level, 'node-ip-adapter');
  const here = await draw(ITSELF, 'base', pathToFileURL(join(root, 'dist', 'index.js')).href);
  test.equal(there.length, here.length);
  const most = here.reduce((largest, value, at) => Math.max(largest, Math.abs(value - there[at]!)), 0);
  test.ok(most <= 2, `differs by ${most}`);
  test.comment(`measured: the portrait of ${level} under ${tried.runner.how} differs by ${most} grey levels at most`);
  seen(test, tried, 'portrait', await nodeVersion(tried, app));
};

/** Native tests whose names have these words, '' for all, and none of the others. */
export const nativeTests = async (
  test: Test,
  tried: Tried,
  program: string,
  words: string,
  ...without: readonly string[]
): Promise<void> => {
  const { status, stdout, stderr } = await run([...tried.runner.before, program, words, ...without], root);
  test.equal(
    status,
    0,
    `${stdout
      .split('\n')
      .filter((line) => !line.startsWith('ok '))
      .join('\n')}${stderr}`,
  );
  test.match(stdout, /^[1-9]\d* passed, 0 failed, 0 skipped$/m);
  if (words === '') seen(test, tried, 'native tests');
};

/** Levels that the program has and this machine runs, but for the naive twins and the stand-ins. */
export const levelsOf = ({ runner }: Tried, program: string): readonly string[] => {
  const [first, ...rest] = [...runner.before, program, '--levels'];
  const { stdout, stderr, status } = spawnSync(first!, rest, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} --levels: ${stderr}`);
  const all = stdout.trim().split('\n');
  return all.filter((level) => level !== 'naive' && !level.endsWith('-stand-in'));
};

/** Golden cases, all of them or those whose names fit, on every one of these levels. */
export const golden = async (
  test: Test,
  tried: Tried,
  program: string,
  levels: readonly string[],
  fits?: RegExp,
): Promise<void> => {
  const answered = new Set<string>();
  const words = [...tried.runner.before, program];
  const folder = join(root, 'test', 'golden');
  for await (const { case: name, level, status, message } of machineResults(words, folder, levels, (c) =>
    fits ? fits.test(c.name) : true,
  )) {
    answered.add(level);
    test.equal(status, 'passed', `${name} on ${level}: ${message}`);
  }
  test.same([...answered].filter((level) => level !== '').sort(), [...levels].sort());
  if (!fits) seen(test, tried, 'golden cases');
};
