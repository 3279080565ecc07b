// Runs the golden cases of a folder: the native half in its own program, the rest here.
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { products } from '../../scripts/ensure-built.mjs';
import { casesOf } from './cases.mjs';
import { kindOf } from './kinds.mjs';
import { PipelineEngine, checks as pipelines } from './pipelines.mjs';
import { checks as references } from './references.mjs';
import { checks as schedulers } from './schedulers.mjs';
import { checks as texts } from './texts.mjs';
import { Verdict } from './verdict.mjs';

/**
 * @typedef {import('./cases.mjs').Case} Case
 * @typedef {object} Result
 * @property {string} case
 * @property {string} kind
 * @property {string} level    '' where the level makes no difference
 * @property {'passed' | 'failed' | 'not yet' | 'unknown kind'} status
 * @property {number | null} worst  null: not finite
 * @property {number | null} limit
 * @property {string} message  what differed most, the fault, or what this version does not have yet
 */

/** Levels that a build for a processor may have, slowest first. @type {Readonly<Record<string, readonly string[]>>} */
const levelsOf = {
  x64: ['base', 'avx2', 'avx512', 'avx512bf16', 'amx'],
  arm64: ['base', 'armv8.2', 'neon-bf16'],
};
/** Those of this processor. */
export const allLevels = levelsOf[process.arch] ?? ['base'];

// Pipelines run through the addon: the one that has the stand-ins of levels which this CPU lacks.
process.env.IPA_BINARY ??= products.standIns;

/** Those of `allLevels` that this CPU and build have; of levels with a stand-in, that where the CPU lacks the unit. */
export const levelsHere = () => {
  const { stdout, status } = spawnSync(products.nativeGolden, ['--levels'], { encoding: 'utf8' });
  if (status !== 0) throw new Error('ipa_golden does not run');
  const present = stdout.trim().split('\n');
  const usual = allLevels.flatMap((level) => [level, `${level}-stand-in`].find((name) => present.includes(name)) ?? []);
  return { all: present, usual };
};

/**
 * @param {string} folder @param {readonly string[]} levels @param {readonly { c: Case, kind: string }[]} work
 * @param {readonly string[]} [words] the native half, and what must stand before it
 */
async function* nativeResults(folder, levels, work, words = [products.nativeGolden]) {
  if (work.length === 0) return;
  const [program, ...before] = words;
  const args = [...before, folder, levels.join(',')];
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.on('close', (code, signal) => resolve(signal ?? code)));
  child.stdin.on('error', () => {}); // it ended early: told below
  child.stdin.end(work.map(({ c, kind }) => `${kind}\t${c.name}\n`).join(''));
  /** @type {Set<string>} */
  const answered = new Set();
  for await (const line of createInterface({ input: child.stdout })) {
    const result = /** @type {Result} */ (JSON.parse(line));
    answered.add(result.case);
    yield result;
  }
  const end = await ended;
  for (const { c, kind } of work)
    if (end !== 0 && !answered.has(c.name))
      yield failed(c, kind, '', `ipa_golden ended with ${end} before this case was done`);
}

/** @returns {Result} */
const failed = (
  /** @type {Case} */ c,
  /** @type {string} */ kind,
  /** @type {string} */ level,
  /** @type {string} */ message,
) => ({
  case: c.name,
  kind,
  level,
  status: 'failed',
  worst: null,
  limit: null,
  message,
});

/** @param {Case} c @param {string} kind @param {string} level @param {(verdict: Verdict) => unknown} check @returns {Promise<Result>} */
const judged = async (c, kind, level, check) => {
  const verdict = new Verdict();
  try {
    await check(verdict);
  } catch (error) {
    verdict.fault(
      error instanceof Error ? `${'code' in error ? `${error.code}: ` : ''}${error.message}` : String(error),
    );
  }
  const { passed, worst, limit, message } = verdict;
  return { case: c.name, kind, level, status: passed ? 'passed' : 'failed', worst, limit, message };
};

/** @param {readonly string[]} levels @param {readonly { c: Case, kind: string }[]} work */
async function* scriptResults(levels, work) {
  const alone = { ...references, ...schedulers, ...texts };
  for (const { c, kind } of work) {
    const check = alone[kind];
    if (check) yield await judged(c, kind, '', (verdict) => check(c, verdict));
  }
  const drawn = work.filter(({ kind }) => pipelines[kind]);
  for (const level of drawn.length > 0 ? levels : []) {
    const engine = new PipelineEngine(level);
    try {
      for (const { c, kind } of drawn)
        yield await judged(c, kind, level, (verdict) => pipelines[kind](c, verdict, engine));
    } finally {
      engine.close();
    }
  }
}

/** The CUDA core on the emulated device. */
export const cardLevels = ['emulated-f32', 'emulated-f16', 'emulated-bf16'];

/**
 * Cases that run on a card: whole networks, with adapters and without, and the small projectors (the emulated device
 * takes ten seconds and more for one of true size).
 * @param {{ c: Case, kind: string }} work
 */
const onCards = ({ c, kind }) =>
  /^(network|adapter)\//.test(kind) || (kind === 'projector' && /^projectors\/tiny-/.test(c.name));

/**
 * The cases of the folder that the native half has a check for, with their kinds.
 * @param {string} folder
 */
const nativeWork = (folder) =>
  casesOf(folder).flatMap((c) => {
    const row = kindOf(c);
    return row && !row.later && !row.trueSize && row.half === 'native' ? [{ c, kind: row.kind }] : [];
  });

/**
 * Every case of the folder that runs on a card, on `levels`.
 * @param {string} folder
 * @returns {AsyncGenerator<Result>}
 */
export const cardResults = (folder, levels = cardLevels) =>
  nativeResults(folder, levels, nativeWork(folder).filter(onCards));

/**
 * The cases of the folder that the native half checks, by a build of it for another machine.
 * @param {readonly string[]} words the program, and what must stand before it
 * @param {string} folder @param {readonly string[]} levels
 * @returns {AsyncGenerator<Result>}
 */
export const machineResults = (words, folder, levels, fits = (/** @type {Case} */ _) => true) =>
  nativeResults(
    folder,
    levels,
    nativeWork(folder).filter(({ c }) => fits(c)),
    words,
  );

/** Of `levels` the fastest that computes in f32 and the fastest of the others: what true sizes are checked on. */
export const fastestOf = (/** @type {readonly string[]} */ levels) => {
  const narrow = (/** @type {string} */ level) => /bf16|amx/.test(level);
  const own = levels.filter((level) => !level.endsWith('-stand-in'));
  const last = (/** @type {(level: string) => boolean} */ fits) => own.findLast(fits) ?? levels.findLast(fits);
  return [last((level) => !narrow(level)), last(narrow)].filter((level) => level !== undefined);
};

/**
 * Every case of the folder, one result per level where the level matters. Networks of true size take up to 11 GB and
 * some minutes; they run on `trueSize`, by default not at all.
 * @param {string} folder @param {readonly string[]} levels @param {{ trueSize?: readonly string[] }} [options]
 * @returns {AsyncGenerator<Result>}
 */
export async function* goldenResults(folder, levels, { trueSize = [] } = {}) {
  /** @type {{ c: Case, kind: string, half: string }[]} */
  const work = [];
  for (const c of casesOf(folder)) {
    let row;
    let message = 'no row of test/runner/kinds.mjs fits it';
    try {
      row = kindOf(c);
    } catch (error) {
      message = error instanceof Error ? error.message : String(error);
    }
    const bare = { case: c.name, level: '', worst: null, limit: null };
    if (!row) yield { ...bare, kind: c.info?.family ?? 'table', status: 'unknown kind', message };
    else if (row.later) yield { ...bare, kind: row.kind, status: 'not yet', message: row.later };
    else work.push({ c, kind: row.kind, half: row.trueSize ? 'true size' : (row.half ?? '') });
  }
  const of = (/** @type {string} */ half) => work.filter((item) => item.half === half);
  yield* nativeResults(folder, levels, of('native'));
  if (trueSize.length > 0) yield* nativeResults(folder, trueSize, of('true size'));
  yield* scriptResults(levels, of('script'));
}
