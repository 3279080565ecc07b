import { mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const BEAT = 2000; // ms between signs of life
const DEAD = 15_000; // ms without one
const POLL = 200; // ms

/** Whether the process that made a lock is gone: it gave no sign of life, or this machine does not run it. */
const isLeft = async (folder: string): Promise<boolean> => {
  const facts = await stat(folder).catch(() => undefined);
  if (!facts) return false;
  if (Date.now() - facts.mtimeMs > DEAD) return true;
  const [host, pid] = (await readFile(join(folder, 'owner'), 'utf8').catch(() => '')).split('\n');
  if (host !== hostname() || pid === undefined) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
};

const take = async (folder: string): Promise<boolean> => {
  try {
    await mkdir(folder); // the file system makes it for one process alone
    await writeFile(join(folder, 'owner'), `${hostname()}\n${process.pid}`);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  if (await isLeft(folder)) {
    // of several that see it dead, one moves it away
    const away = `${folder}.${process.pid}.${Math.random().toString(36).slice(2)}`;
    await rename(folder, away).catch(() => undefined);
    await rm(away, { recursive: true, force: true });
  }
  return false;
};

/** Runs `action` while no other process that asks for the same lock does; a folder is the lock. */
export const withLock = async <T>(
  folder: string,
  signal: AbortSignal | undefined,
  action: () => Promise<T>,
): Promise<T> => {
  await mkdir(dirname(folder), { recursive: true });
  while (!(await take(folder))) await pause(POLL, undefined, signal ? { signal } : {});
  const beat = setInterval(() => {
    const now = new Date();
    utimes(folder, now, now).catch(() => undefined);
  }, BEAT);
  beat.unref();
  try {
    return await action();
  } finally {
    clearInterval(beat);
    await rm(folder, { recursive: true, force: true });
  }
};
