import { mkdir, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { AbortError, abortError, InternalError, IpAdapterError, OutputError, quoted } from '../errors.js';
import { pathOf } from '../options/schemas.js';
import { cacheFolder, pointAt, pointMain, repositoryFolder } from './cache.js';
import { connect, unreachable } from './connection.js';
import { cached } from './names.js';
import { type PullOptions, pullSettings } from './options.js';
import { asked, planned, type Work } from './plan.js';
import { fetchBlob, onDisk } from './transfer.js';

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(2)} GB`;

/** Refuses what the disk has no room for, before a byte is fetched. */
const checkRoom = async ({ plan }: Work): Promise<void> => {
  await mkdir(plan.cache, { recursive: true }).catch((cause: unknown) => {
    throw new OutputError('OUTPUT_IO', `${quoted(plan.cache)} cannot be made`, 'Name another folder with HF_HOME', {
      cause,
    });
  });
  const disk = await statfs(plan.cache).catch(() => undefined); // not every file system says
  if (!disk || disk.bavail * disk.bsize >= plan.missing) return;
  throw new OutputError(
    'OUTPUT_NO_SPACE',
    `${plan.name} needs ${gigabytes(plan.missing)}, ${quoted(plan.cache)} has ${gigabytes(disk.bavail * disk.bsize)} free`,
    'Make room, or name another disk with HF_HOME',
    { details: { path: plan.cache, needed: plan.missing, free: disk.bavail * disk.bsize } },
  );
};

const confirmed = async ({ plan }: Work, { confirm, signal }: PullOptions): Promise<void> => {
  const answer = await confirm(plan);
  if (signal?.aborted) throw abortError(signal.reason);
  if (answer === true) return;
  throw new AbortError('ABORTED', `${quoted(plan.name)} was not fetched: it was not confirmed`, 'Confirm to fetch it', {
    details: { name: plan.name },
  });
};

const carryOut = async (
  connection: Awaited<ReturnType<typeof connect>>,
  { plan, origin, files }: Work,
  { onProgress }: PullOptions,
): Promise<void> => {
  const folder = repositoryFolder(origin.repository);
  let before = 0; // bytes of the files that are done
  for (const file of files) {
    const tell = (have: number): void => {
      try {
        onProgress?.({ type: 'pull', file: file.path, bytes: before + have, totalBytes: plan.bytes });
      } catch (cause) {
        throw new AbortError('ABORTED', 'onProgress threw an error', 'See cause', { cause });
      }
    };
    const blob = await fetchBlob(connection, origin, file, tell);
    const path = join(folder, 'snapshots', origin.commit, file.path);
    await onDisk(path, () => pointAt(blob, path));
    before += file.size;
  }
  // last: who follows it finds all that was fetched
  await onDisk(folder, () => pointMain(origin.repository, origin.commit));
};

/** `pull` with pauses of the caller's; for tests. */
export const pullWith = async (
  pause: ((ms: number) => Promise<void>) | undefined,
  name: string,
  options: PullOptions,
): Promise<string> => {
  const text = pathOf(name, 'name');
  const settings = pullSettings(options);
  const { signal } = settings;
  if (signal?.aborted) throw abortError(signal.reason);
  const it = asked(text);
  const there = await cached(it);
  // a folder that no list of ours knows may lack a part: the hub is asked
  if (there !== undefined && ('row' in it || it.file !== undefined)) return there;
  try {
    const connection = await connect(signal, pause);
    const work = await planned(connection, text, it).catch((error: unknown) => {
      // what the package throws of its own: an answer that broke off or is no JSON
      throw error instanceof IpAdapterError || signal?.aborted ? error : unreachable(connection.url, error);
    });
    if (work.plan.missing > 0) {
      await confirmed(work, settings);
      await checkRoom(work);
    }
    await carryOut(connection, work, settings);
  } catch (error) {
    throw signal?.aborted && !(error instanceof IpAdapterError) ? abortError(signal.reason) : error;
  }
  const path = await cached(it);
  if (path !== undefined) return path;
  throw new InternalError(
    'INTERNAL',
    `${quoted(text)} was fetched and is not found in ${quoted(cacheFolder())}`,
    'This is a bug; please report it',
  );
};

/**
 * Fetches a model into the cache that Python's tools use, and returns its path. What is there is not fetched again; a fetch
 * that broke off goes on where it stopped. This is the only call that asks the network for anything.
 *
 * @example
 * const path = await pull('plus-sd15', { confirm: ({ missing, licence }) => ask(`${missing} bytes, ${licence}?`) })
 */
export const pull = (name: string, options: PullOptions): Promise<string> => pullWith(undefined, name, options);
