// Device libraries that are files of JSON (fake-addon.cjs), for this process and those that it starts.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { Card } from '../../../lib/native/types.js';

/** The addon that reads them. */
export const fakeAddon = fileURLToPath(new URL('fake-addon.cjs', import.meta.url));

export const h100: Card = {
  id: 'cuda:0',
  name: 'NVIDIA H100 80GB HBM3',
  capability: '9.0',
  memory: 85_017_755_648,
  driver: '13.0',
};
export const pascal: Card = { ...h100, id: 'cuda:0', name: 'NVIDIA GeForce GTX 1080', capability: '6.1' };
export const small: Card = { ...h100, id: 'cuda:1', name: 'NVIDIA GeForce MX450', capability: '7.5', memory: 2.1e9 };

const folder = mkdtempSync(join(tmpdir(), 'ipa-cards-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;

/** A library that behaves so. */
export const fakeLibrary = (behaviour: object): string => {
  count += 1;
  const path = join(folder, `ipa_cuda_${count}.so`);
  writeFileSync(path, JSON.stringify(behaviour));
  return path;
};

/** How often a library was probed. */
export const timesAsked = (library: string): number => {
  try {
    return readFileSync(`${library}.asked`, 'utf8').trim().split('\n').length;
  } catch {
    return 0;
  }
};

/** Sets variables of the environment until the test file ends; undefined unsets. */
export const withEnvironment = (values: Readonly<Record<string, string | undefined>>): void => {
  for (const [name, value] of Object.entries(values)) {
    const before = process.env[name];
    set(name, value);
    t.teardown(() => set(name, before));
  }
};

const set = (name: string, value: string | undefined): void => {
  if (value === undefined) delete process.env[name];
  else process.env[name] = value;
};
