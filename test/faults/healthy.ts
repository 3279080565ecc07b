// What must be as before after every fault: the picture's bytes, open files, threads.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import type { GenerateResult, Pipeline } from '../../lib/index.js';
import { goodRun } from './rows.js';

const PATIENCE = 3000; // ms in which cancelled native work winds down

/** SHA-256 over the raw pixels of a run's pictures. */
export const bytesOf = ({ images }: GenerateResult): string => {
  const hash = createHash('sha256');
  for (const { data } of images) hash.update(data);
  return hash.digest('hex');
};

/** Entries of a folder of this process; none where the system has no such folder. */
const entries = (folder: string): readonly string[] => {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
};

const openFiles = (): number => entries('/proc/self/fd').length;

const nameOf = (thread: string): string => {
  try {
    return readFileSync(`/proc/self/task/${thread}/comm`, 'utf8');
  } catch {
    return ''; // it has ended meanwhile
  }
};

/** Threads of this process but those of libvips, which keeps as many as its largest picture wanted. */
const threads = (): number =>
  entries('/proc/self/task').filter((thread) => !nameOf(thread).startsWith('libvips')).length;

/** What a pipeline gave and the process held before any fault. */
export interface Baseline {
  readonly sha256: string;
  readonly files: number;
  readonly threads: number;
}

export const baselineOf = async (pipe: Pipeline): Promise<Baseline> => {
  await pipe.generate(goodRun); // the first run opens what stays open, such as the threads that decode pictures
  const sha256 = bytesOf(await pipe.generate(goodRun));
  return { sha256, files: openFiles(), threads: threads() };
};

const settles = async (holds: () => boolean): Promise<boolean> => {
  for (const end = performance.now() + PATIENCE; performance.now() < end; await sleep(20)) if (holds()) return true;
  return holds();
};

/** The same pipeline still draws the same bytes, with no more files and threads than before. */
export const assertHealthy = async (t: Test, pipe: Pipeline, before: Baseline): Promise<void> => {
  t.equal(bytesOf(await pipe.generate(goodRun)), before.sha256, 'the next run draws the same bytes');
  t.ok(await settles(() => openFiles() <= before.files), `open files: ${openFiles()}, before ${before.files}`);
  t.ok(await settles(() => threads() <= before.threads), `threads: ${threads()}, before ${before.threads}`);
};
