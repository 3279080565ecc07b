import { DeviceError, quoted, toError } from '../errors.js';
import { addon } from './native.js';
import type { Dtype, Engine, Stop } from './types.js';

/** An engine and what makes the flags that cancel its calls. Tests give their own. */
export interface EngineHost {
  readonly engine: Engine;
  readonly stop: () => Stop;
  readonly close: () => void;
}

// Engines that are open, and the flags of their calls in progress: Node runs no environment hooks at process.exit()
const open = new Map<Engine, Set<Stop>>();
let listening = false;

const closeAll = (): void => {
  for (const stops of open.values()) for (const stop of stops) stop.raise();
  for (const engine of open.keys()) engine.close();
  open.clear();
};

/** Forgets a call's flag once the call has ended. */
export const released = (host: EngineHost, stop: Stop): void => {
  open.get(host.engine)?.delete(stop);
};

const levelOf = (levels: readonly string[]): string | undefined => {
  const named = process.env.IPA_CPU;
  if (named === undefined || named === '') return undefined;
  if (levels.includes(named)) return named;
  throw new DeviceError(
    'DEVICE_UNSUPPORTED',
    `IPA_CPU names the level ${quoted(named)}, this CPU and binary have ${levels.join(', ')}`,
    `Set IPA_CPU to one of ${levels.join(', ')}, or unset it`,
    { details: { option: 'IPA_CPU', found: named, expected: [...levels] } },
  );
};

/** Starts an engine: one thread that takes calls in order, and a pool of `threads`. */
export const startEngine = (threads: number, dtype: Dtype = 'auto'): EngineHost => {
  const { Engine, Stop, levels } = addon();
  const level = levelOf(levels());
  let engine: Engine;
  try {
    engine = new Engine({ threads, dtype, ...(level === undefined ? {} : { level }) });
  } catch (error) {
    throw toError(error);
  }
  const stops = new Set<Stop>();
  open.set(engine, stops);
  if (!listening) {
    listening = true;
    process.on('exit', closeAll);
  }
  return {
    engine,
    stop: () => {
      const stop = new Stop();
      stops.add(stop);
      return stop;
    },
    close: () => {
      open.delete(engine);
      engine.close();
    },
  };
};

/**
 * Runs native work that a signal may cancel: rejects with the signal's reason as soon as it fires, while the native call
 * winds down on its own.
 */
export const cancellable = async <T>(
  host: EngineHost,
  signal: AbortSignal | undefined,
  aborted: (reason: unknown) => Error,
  work: (stop: Stop) => Promise<T>,
): Promise<T> => {
  if (signal?.aborted) throw aborted(signal.reason);
  const stop = host.stop();
  const running = work(stop).finally(() => released(host, stop));
  if (!signal) return running;
  let cancel = (): void => undefined;
  const cancelled = new Promise<never>((_, reject) => {
    cancel = () => {
      stop.raise();
      reject(aborted(signal.reason));
    };
    signal.addEventListener('abort', cancel, { once: true });
  });
  running.catch(() => undefined); // the race may already be lost
  return Promise.race([running, cancelled]).finally(() => signal.removeEventListener('abort', cancel));
};
