// Models of any size without their numbers: files whose data is a hole, and an engine that makes the numbers when such a
// file is loaded.
import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import type { EngineHost } from '../../../lib/native/engine.js';
import type { LoadSpec, NetworkHandle } from '../../../lib/native/types.js';
import type { Shapes } from './rule.js';

/** A safetensors file of f16 tensors whose data takes no room on disk. */
export const writeSparse = (path: string, shapes: Shapes): void => {
  let at = 0;
  const header: Record<string, object> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    const end = at + 2 * shape.reduce((product, side) => product * side, 1);
    header[name] = { dtype: 'F16', shape, data_offsets: [at, end] };
    at = end;
  }
  const json = Buffer.from(JSON.stringify(header));
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const file = openSync(path, 'w');
  writeSync(file, Buffer.concat([length, padded]));
  ftruncateSync(file, 8 + padded.length + at);
  closeSync(file);
};

/** Sparse files with the prefixes that their weights follow from. */
export class SparseFiles {
  readonly #shapes = new Map<string, { readonly prefix: string; readonly shapes: Shapes }>();
  readonly networks: NetworkHandle[] = [];

  readonly write = (path: string, prefix: string, shapes: Shapes): void => {
    writeSparse(path, shapes);
    this.#shapes.set(path, { prefix, shapes });
  };

  /** The engine, which makes the weights of these files in place of reading them. */
  over(host: EngineHost): EngineHost {
    const load = async (spec: LoadSpec, ...rest: []): Promise<NetworkHandle> => {
      const made = 'path' in spec.source ? this.#shapes.get(spec.source.path) : undefined;
      const source = made && {
        synthetic: made.prefix,
        tensors: made.shapes,
        factors: { '_lora.up.weight': 0.3 },
        dtype: 'f16' as const,
      };
      const network = await host.engine.load(source ? { ...spec, source } : spec, ...rest);
      this.networks.push(network);
      return network;
    };
    const engine = new Proxy(host.engine, {
      get: (target, key) => {
        if (key === 'load') return load;
        const value: unknown = Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    return { ...host, engine };
  }
}
