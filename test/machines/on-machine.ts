// What is asked of an addon for another machine where its programs run on this one.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Test } from 'tap';
import type { Runner } from '../../scripts/cross/run-on.mjs';
import { machineResults } from '../runner/run.mjs';
import { type App, root, run } from './app.js';

/** The picture of `npm run quickstart`. */
const PORTRAIT = {
  prompt: 'portrait of a woman, smiling, wearing a blue sweater, green background',
  seed: 2,
};
const ITSELF: Runner = { before: [], how: 'itself', node: () => process.execPath, path: (file) => file };
const REFERENCE = join(root, 'models', 'sketch', 'references', 'person-3-1.png');

/** `doctor` names the machine and exactly these levels. */
export const doctor = async (test: Test, runner: Runner, app: App, platform: string, levels: RegExp): Promise<void> => {
  const words = [...runner.before, runner.node!(), runner.path(join(app.home, 'dist', 'cli', 'index.js')), 'doctor'];
  const { status, stdout, stderr } = await run(words, app.folder);
  test.equal(status, 0, stderr);
  test.match(stdout, platform);
  test.match(stdout, levels);
};

/** The quickstart's portrait, drawn there on one level and here on base, differs by 2 grey levels at most. */
export const portrait = async (test: Test, runner: Runner, app: App, level: string): Promise<void> => {
  const draw = async ({ before, node, path }: Runner, at: string, from: string): Promise<Buffer> => {
    const to = join(app.folder, `${at}.raw`);
    const files = [join(app.folder, 'draw.mjs'), to, REFERENCE].map(path);
    const words = [...before, node!(), ...files, JSON.stringify(PORTRAIT), from];
    const { status, stderr } = await run(words, app.folder, { IPA_CPU: at });
    test.equal(status, 0, stderr);
    return readFileSync(to);
  };
  const there = await draw(runner, level, 'node-ip-adapter');
  const here = await draw(ITSELF, 'base', pathToFileURL(join(root, 'dist', 'index.js')).href);
  test.equal(there.length, here.length);
  const most = here.reduce((largest, value, at) => Math.max(largest, Math.abs(value - there[at]!)), 0);
  test.ok(most <= 2, `differs by ${most}`);
  test.comment(`measured: the portrait of ${level} under ${runner.how} differs by ${most} grey levels at most`);
};

/** Native tests whose names have these words, '' for all, and none of the others. */
export const nativeTests = async (
  test: Test,
  runner: Runner,
  program: string,
  words: string,
  ...without: readonly string[]
): Promise<void> => {
  const { status, stdout, stderr } = await run([...runner.before, program, words, ...without], root);
  test.equal(
    status,
    0,
    `${stdout
      .split('\n')
      .filter((line) => !line.startsWith('ok '))
      .join('\n')}${stderr}`,
  );
  test.match(stdout, /^[1-9]\d* passed, 0 failed, 0 skipped$/m);
};

/** Golden cases whose names fit, on every one of these levels. */
export const golden = async (
  test: Test,
  runner: Runner,
  program: string,
  levels: readonly string[],
  fits: RegExp,
): Promise<void> => {
  const seen = new Set<string>();
  const words = [...runner.before, program];
  const folder = join(root, 'test', 'golden');
  for await (const { case: name, level, status, message } of machineResults(words, folder, levels, (c) =>
    fits.test(c.name),
  )) {
    seen.add(level);
    test.equal(status, 'passed', `${name} on ${level}: ${message}`);
  }
  test.same([...seen].filter((level) => level !== '').sort(), [...levels].sort());
};
