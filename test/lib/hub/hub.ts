// What the tests of fetching share: a hub, an empty cache, and no proxy or token of the machine.
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { cacheFolder } from '../../../lib/hub/cache.js';
import type { PullOptions } from '../../../lib/hub/options.js';
import { pullWith } from '../../../lib/hub/pull.js';
import { IpAdapterError } from '../../../lib/index.js';
import { FakeHub } from './server.js';

const VARIABLES = [
  'HF_ENDPOINT',
  'HF_TOKEN',
  'HUGGING_FACE_HUB_TOKEN',
  'HF_HUB_CACHE',
  'HUGGINGFACE_HUB_CACHE',
  'HF_HOME',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'http_proxy',
  'https_proxy',
  'NO_PROXY',
  'no_proxy',
];

export interface Place {
  readonly hub: FakeHub;
  /** The cache's folder, empty at first. */
  readonly cache: string;
  /** Milliseconds that were waited, as they were asked for. */
  readonly pauses: number[];
  readonly pull: (name: string, options?: Partial<PullOptions>) => Promise<string>;
  /** The error of a fetch. */
  readonly failure: (name: string, options?: Partial<PullOptions>) => Promise<IpAdapterError>;
}

export const place = async (test: Test): Promise<Place> => {
  const before = new Map(VARIABLES.map((name) => [name, process.env[name]]));
  for (const name of VARIABLES) delete process.env[name];
  const hub = new FakeHub();
  await hub.open();
  const cache = mkdtempSync(join(tmpdir(), 'ipa-hub-'));
  process.env.HF_HUB_CACHE = cache;
  process.env.HF_ENDPOINT = hub.url;
  test.teardown(() => {
    hub.close();
    rmSync(cache, { recursive: true, force: true });
    for (const [name, value] of before)
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
  });
  const pauses: number[] = [];
  const pause = async (ms: number): Promise<void> => {
    pauses.push(ms);
  };
  const pull: Place['pull'] = (name, options = {}) => pullWith(pause, name, { confirm: () => true, ...options });
  const failure: Place['failure'] = async (name, options) => {
    const error = await pull(name, options).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (error instanceof IpAdapterError) return error;
    throw error ?? new Error(`${name} was fetched`);
  };
  return { hub, cache, pauses, pull, failure };
};

/** Names below a folder of the cache, '/' between them. */
export const namesIn = (...folder: string[]): string[] => {
  const path = join(cacheFolder(), ...folder);
  return existsSync(path)
    ? readdirSync(path, { recursive: true })
        .map((name) => String(name).replaceAll('\\', '/'))
        .sort()
    : [];
};
