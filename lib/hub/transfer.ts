import { createHash, type Hash } from 'node:crypto';
import { createReadStream, fsync } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { abortError, IpAdapterError, ModelFileError, OutputError, quoted } from '../errors.js';
import { cacheFolder, repositoryFolder } from './cache.js';
import { type Connection, pauseBefore, TRIES, unreachable } from './connection.js';
import { withLock } from './lock.js';

/** A file on the hub. */
export interface RemoteFile {
  readonly path: string;
  readonly size: number; // bytes
  /** Name of its blob: the SHA-256 of a large file, the Git hash of a small one. */
  readonly etag: string;
}

/** Where a file's bytes come from. */
export interface Origin {
  readonly repository: string;
  readonly commit: string;
}

export const blobPath = (repository: string, file: RemoteFile): string =>
  join(repositoryFolder(repository), 'blobs', file.etag);

/** Whether the bytes are in the cache, whole. */
export const hasBlob = async (repository: string, file: RemoteFile): Promise<boolean> =>
  (await stat(blobPath(repository, file)).catch(() => undefined))?.size === file.size;

// A name of its own: Python's tools go on writing in theirs
const partPath = (blob: string): string => `${blob}.node.incomplete`;

/** Bytes of a file that a broken-off fetch has left. */
export const bytesLeft = async (repository: string, file: RemoteFile): Promise<number> => {
  const size = (await stat(partPath(blobPath(repository, file))).catch(() => undefined))?.size ?? 0;
  return size <= file.size ? size : 0;
};

/** A new hash that ends as the etag when all bytes have gone through. source: git-hash-object for small files */
const hashFor = ({ etag, size }: RemoteFile): Hash =>
  etag.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`);

const writeError = (path: string, cause: unknown): OutputError => {
  const code = (cause as NodeJS.ErrnoException).code;
  const full = code === 'ENOSPC' || code === 'EDQUOT';
  return new OutputError(
    full ? 'OUTPUT_NO_SPACE' : 'OUTPUT_IO',
    `${quoted(path)} cannot be written (${String(code ?? (cause as Error).message)})`,
    full ? 'Make room, or name another disk with HF_HOME; what has come is kept' : 'Check the folder of HF_HOME',
    { details: { path }, cause },
  );
};

/** Errors of the disk in our words. */
export const onDisk = async <T>(path: string, action: () => Promise<T>): Promise<T> => {
  try {
    return await action();
  } catch (error) {
    throw error instanceof IpAdapterError ? error : writeError(path, error);
  }
};

interface Part {
  readonly handle: FileHandle;
  readonly path: string;
  hash: Hash;
  bytes: number;
}

const startAgain = async (part: Part, file: RemoteFile): Promise<void> => {
  await onDisk(part.path, () => part.handle.truncate(0));
  part.hash = hashFor(file);
  part.bytes = 0;
};

const openPart = async (path: string, file: RemoteFile): Promise<Part> =>
  onDisk(path, async () => {
    const handle = await open(path, 'a');
    const part: Part = { handle, path, hash: hashFor(file), bytes: 0 };
    try {
      const { size } = await handle.stat();
      if (size > file.size) await startAgain(part, file);
      else if (size > 0) {
        for await (const bytes of createReadStream(path, { highWaterMark: 2 ** 20 })) part.hash.update(bytes as Buffer);
        part.bytes = size;
      }
      return part;
    } catch (error) {
      await handle.close();
      throw error;
    }
  });

/** Asks for the bytes that lack and writes them. The answer may end early: the caller looks at `part.bytes`. */
const receive = async (
  connection: Connection,
  url: string,
  part: Part,
  file: RemoteFile,
  onBytes: (have: number) => void,
): Promise<void> => {
  const response = await connection.fetch(url, part.bytes > 0 ? { headers: { range: `bytes=${part.bytes}-` } } : {});
  const from = Number(/^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1] ?? 0);
  if (response.status === 416 || (response.status === 206 ? from : 0) !== part.bytes) {
    // the server knows no parts, or another file: from the start
    const whole = response.status === 200;
    await startAgain(part, file);
    if (!whole) {
      await response.body?.cancel().catch(() => undefined);
      return;
    }
  }
  if (!response.body) return;
  const reader = response.body.getReader();
  try {
    while (part.bytes <= file.size) {
      const { value, done } = await reader.read();
      if (done) return;
      await onDisk(part.path, () => part.handle.appendFile(value));
      part.hash.update(value);
      part.bytes += value.byteLength;
      onBytes(Math.min(part.bytes, file.size));
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
};

/** Fetches until all bytes are there; what breaks off goes on where it stopped. */
const complete = async (
  connection: Connection,
  url: string,
  part: Part,
  file: RemoteFile,
  onBytes: (have: number) => void,
): Promise<void> => {
  const { signal } = connection;
  let failures = 0; // in a row, none of which brought a byte
  while (part.bytes < file.size) {
    const before = part.bytes;
    let fault: IpAdapterError | undefined;
    try {
      await receive(connection, url, part, file, onBytes);
    } catch (error) {
      if (signal?.aborted) throw abortError(signal.reason);
      if (error instanceof IpAdapterError) throw error;
      fault = unreachable(url, error);
    }
    if (part.bytes >= file.size) return;
    failures = part.bytes > before ? 0 : failures + 1;
    if (failures >= TRIES) {
      throw (
        fault ??
        new ModelFileError(
          'MODEL_TRUNCATED',
          `${quoted(file.path)} has ${part.bytes} of ${file.size} bytes, the hub sends no more`,
          'Try again later; what has come is kept',
          { details: { path: file.path, found: part.bytes, expected: file.size } },
        )
      );
    }
    await connection.pause(pauseBefore(failures));
  }
};

const wrongBytes = (file: RemoteFile, found: string): ModelFileError =>
  new ModelFileError(
    'MODEL_HASH_MISMATCH',
    `${quoted(file.path)} came with other bytes: expected ${file.etag}, found ${found}`,
    'Nothing of it was kept: fetch it again; if it comes the same, a proxy or a mirror changes files',
    { details: { path: file.path, expected: file.etag, found } },
  );

/**
 * Brings a file's bytes into the cache, unless they are there. They have another name until they are all there and their
 * hash is right; other processes that fetch the same file wait.
 */
export const fetchBlob = async (
  connection: Connection,
  { repository, commit }: Origin,
  file: RemoteFile,
  onBytes: (have: number) => void,
): Promise<string> => {
  const blob = blobPath(repository, file);
  const path = partPath(blob);
  const lock = join(cacheFolder(), '.locks', basename(repositoryFolder(repository)), `${file.etag}.node`);
  const encoded = file.path.split('/').map(encodeURIComponent).join('/');
  const url = `${connection.url}/${repository}/resolve/${commit}/${encoded}`;
  const action = async (): Promise<void> => {
    if (await hasBlob(repository, file)) return;
    await mkdir(dirname(blob), { recursive: true });
    const part = await openPart(path, file);
    try {
      onBytes(part.bytes);
      await complete(connection, url, part, file, onBytes);
      await onDisk(path, () => promisify(fsync)(part.handle.fd)); // trap: Yarn's FileHandle has no sync
    } finally {
      await part.handle.close();
    }
    const found = part.bytes > file.size ? `more than ${file.size} bytes` : part.hash.digest('hex');
    if (found !== file.etag) {
      await rm(path, { force: true });
      throw wrongBytes(file, found);
    }
    await rename(path, blob);
  };
  await onDisk(blob, () => withLock(lock, connection.signal, action)).catch((error: unknown) => {
    throw connection.signal?.aborted ? abortError(connection.signal.reason) : error;
  });
  onBytes(file.size);
  return blob;
};
