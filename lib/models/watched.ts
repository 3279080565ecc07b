import { abortError } from '../errors.js';
import { cancellable, type EngineHost } from '../native/engine.js';
import type { Stop } from '../native/types.js';
import type { Model } from './model.js';
import type { LoadSettings } from './options.js';

/** Loads with a listener and a signal; an error of the listener ends the load. */
export const watched = async (
  host: EngineHost,
  settings: LoadSettings,
  load: (onProgress: LoadSettings['onProgress'], stop: Stop) => Promise<Model>,
): Promise<Model> => {
  const broken = new AbortController();
  const { onProgress, signal } = settings;
  const listener: LoadSettings['onProgress'] =
    onProgress &&
    ((event) => {
      try {
        if (!broken.signal.aborted) onProgress(event);
      } catch (error) {
        broken.abort(error);
      }
    });
  const either = AbortSignal.any([broken.signal, ...(signal ? [signal] : [])]);
  return cancellable(host, either, abortError, (stop) => load(listener, stop));
};
