import { type Adapter, type AdapterOwner, adapterParts } from './adapters/adapter.js';
import type { Embedding } from './adapters/embedding.js';
import { encode } from './adapters/encode.js';
import type { EncodeSettings } from './adapters/encode-options.js';
import type { ImageEncoder } from './adapters/encoder.js';
import { type AddAdapterOptions, adapterSettings } from './adapters/options.js';
import { ControlNets } from './controls/attached.js';
import type { ControlNet } from './controls/control-net.js';
import type { AddControlNetOptions } from './controls/options.js';
import { saveMerged } from './convert/merged.js';
import type { ConvertOptions, ConvertResult } from './convert/options.js';
import { abortError, closedError } from './errors.js';
import type { FaceNetworks } from './faces/face.js';
import { stem } from './files/files.js';
import { located } from './hub/names.js';
import { attachAdapter } from './loras/attach-adapter.js';
import { PipelineLoras } from './loras/attached.js';
import { Companions } from './loras/companions.js';
import type { Lora } from './loras/lora.js';
import type { AddLoraOptions } from './loras/options.js';
import { ModelWeights } from './loras/weights.js';
import { changeable } from './models/lora-file.js';
import { loadModel, type Model } from './models/model.js';
import { type LoadOptions, type LoadSettings, loadSettings } from './models/options.js';
import { infoOf, type PipelineInfo } from './models/pipeline-info.js';
import { watched } from './models/watched.js';
import { Attaching } from './native/attaching.js';
import { chooseDevice } from './native/choose-device.js';
import { type EngineHost, type EngineOptions, startEngine, unlessAborted } from './native/engine.js';
import { Shared } from './native/shared.js';
import { freeName } from './options/attached.js';
import { pathOf } from './options/schemas.js';
import { type Job, JobControl } from './run/job.js';
import { type GenerateOptions, runSettings } from './run/options.js';
import { checkedRun } from './run/run-check.js';
import { RunQueue } from './run/run-queue.js';
import { submit } from './run/submit.js';
import { type Warn, type Warning, warner } from './warnings.js';
import { AttachedWords } from './words/attached.js';
import { type AddTextEmbeddingOptions, textEmbeddingSettings } from './words/options.js';
import type { TextEmbedding } from './words/text-embedding.js';

/** Inner parts, for tests and the golden runner. */
export interface PipelineParts {
  readonly host: EngineHost;
  readonly model: Model;
  readonly weights: ModelWeights;
}

const parts = new WeakMap<Pipeline, PipelineParts>();

/** The inner parts of a pipeline; not exported from the package. */
export const pipelineParts = (pipe: Pipeline): PipelineParts => parts.get(pipe)!;

/** `Pipeline.load` with an engine of the caller's; for tests. */
export let loadPipelineWith: (
  start: (options: EngineOptions) => EngineHost,
  path: string,
  options: LoadOptions,
) => Promise<Pipeline>;

/**
 * A base model with adapters and LoRAs attached, which draws pictures one run at a time.
 *
 * @example
 * await using pipe = await Pipeline.load(defaultModel().path)
 * const { images } = await pipe.generate({ prompt: 'portrait of a woman, smiling', seed: 7 })
 * await images[0]!.toFile('portrait.png')
 */
export class Pipeline {
  readonly #host: EngineHost;
  readonly #model: Model;
  readonly #settings: LoadSettings;
  readonly #weights: ModelWeights;
  readonly #companions: Companions;
  readonly #queue: RunQueue;
  readonly #adapters = new Map<string, Adapter>();
  readonly #loras: PipelineLoras;
  readonly #words: AttachedWords;
  readonly #nets: ControlNets;
  readonly #jobs = new Set<JobControl>();
  readonly #warnings: readonly Warning[];
  readonly #warn: Warn;
  readonly #closing = new AbortController();
  readonly #attaching: Attaching;
  readonly #encoders = new Shared<ImageEncoder>((encoder) => encoder.network.dispose());
  readonly #faces = new Shared<FaceNetworks>((faces) => faces.dispose());
  #ending: Promise<void> | undefined;

  private constructor(
    host: EngineHost,
    model: Model,
    settings: LoadSettings,
    warnings: readonly Warning[],
    warn: Warn,
  ) {
    this.#host = host;
    this.#model = model;
    this.#settings = settings;
    this.#weights = new ModelWeights(host, model);
    this.#companions = new Companions(host);
    this.#queue = new RunQueue(settings.maxQueue);
    const { allowNonFinite } = settings;
    this.#words = new AttachedWords({ host, model, queue: this.#queue, allowNonFinite });
    this.#attaching = new Attaching(host, this.#closing.signal, closedError);
    this.#warnings = warnings;
    this.#warn = warn;
    const between = (work: () => Promise<void>): Promise<void> => this.#queue.between(work);
    this.#loras = new PipelineLoras({
      host,
      networks: changeable(model),
      weights: this.#weights,
      companions: this.#companions,
      attaching: this.#attaching,
      warn,
      between,
    });
    this.#nets = new ControlNets({ host, unet: model.unet, allowNonFinite, attaching: this.#attaching, warn }, between);
    parts.set(this, { host, model, weights: this.#weights });
  }

  /**
   * Loads a diffusers folder, one checkpoint file (.safetensors, .ckpt), or by its name what `models.pull` has fetched.
   *
   * @example
   * const pipe = await Pipeline.load('/models/sd15', { onProgress: ({ part, bytes, totalBytes }) => console.log(part, bytes / totalBytes) })
   */
  static load(path: string, options: LoadOptions = {}): Promise<Pipeline> {
    return Pipeline.#loadWith(startEngine, path, options);
  }

  static async #loadWith(
    start: (options: EngineOptions) => EngineHost,
    path: string,
    options: LoadOptions,
  ): Promise<Pipeline> {
    const settings = loadSettings(options);
    if (settings.signal?.aborted) throw abortError(settings.signal.reason);
    const file = await located(pathOf(path, 'path'));
    const warnings: Warning[] = [];
    const warn = warner((warning) => warnings.push(warning), settings.logger, settings.strict);
    const place = await unlessAborted(settings.signal, abortError, chooseDevice(settings.device, warn));
    const host = start({ threads: settings.threads, dtype: settings.dtype, place, memory: settings.memory });
    try {
      const model = await watched(host, settings, (onProgress, stop) =>
        loadModel(host, file, { ...settings, onProgress, stop }),
      );
      for (const { code, message } of model.warnings) warn(code, message);
      return new Pipeline(host, model, settings, warnings, warn);
    } catch (error) {
      host.close();
      throw error;
    }
  }

  static {
    loadPipelineWith = (start, path, options) => Pipeline.#loadWith(start, path, options);
  }

  /** What is loaded and attached. */
  get info(): PipelineInfo {
    const attached = [...[...this.#adapters.values()].map((it) => adapterParts(it).network), ...this.#nets.networks];
    return infoOf(this.#host, this.#model, this.disposed ? undefined : attached, {
      adapters: [...this.#adapters.keys()],
      controlNets: [...this.#nets.byName.keys()],
      loras: [...this.#loras.byName.keys()],
      textEmbeddings: this.#words.names,
      warnings: [...this.#warnings],
    });
  }

  /** True after `dispose`. */
  get disposed(): boolean {
    return this.#ending !== undefined;
  }

  /**
   * Attaches an IP-Adapter file; its variant is read from its tensors. Runs that do not reference it stay as they were.
   *
   * @example
   * const face = await pipe.addAdapter('ip-adapter-faceid-plusv2_sd15.bin', { face: { detector, recognizer }, name: 'face' })
   */
  async addAdapter(file: string, options: AddAdapterOptions = {}): Promise<Adapter> {
    const path = pathOf(file, 'file');
    const settings = adapterSettings(options, stem(path));
    this.#checkName('adapter', settings.name ?? stem(path), this.#adapters);
    return this.#attaching.load(settings.signal, async (stop) => {
      const context = {
        host: this.#host,
        unet: this.#model.unet,
        networks: changeable(this.#model),
        modelFolder: this.#model.folder,
        allowNonFinite: this.#settings.allowNonFinite,
        warn: this.#warn,
        encoders: this.#encoders,
        faces: this.#faces,
        companions: this.#companions,
      };
      const owner: AdapterOwner = {
        detach: (it) => this.#detachAdapter(it),
        encode: (it, how) => this.#encode(it, how),
      };
      const { handle, drop } = await attachAdapter(context, await located(path), settings, owner, stop);
      const keep = (): void => {
        this.#checkName('adapter', handle.name, this.#adapters); // another call may have taken it meanwhile
        this.#adapters.set(handle.name, handle);
      };
      return { handle, keep, drop };
    });
  }

  /**
   * Attaches a LoRA file (kohya, diffusers or PEFT), in effect in every run from now on. A file with the numbers of an attached
   * FaceID adapter's own LoRA is none more: its scale is that adapter's `loraScale`.
   *
   * @example
   * await pipe.addLora('ink.safetensors', { name: 'ink', scale: 0.8 })
   */
  async addLora(file: string, options: AddLoraOptions = {}): Promise<Lora> {
    const path = pathOf(file, 'file');
    if (this.disposed) throw closedError();
    return this.#loras.add(path, options);
  }

  /**
   * Attaches a text embedding (textual inversion), a word of prompts: a file of diffusers, A1111 or kohya.
   *
   * @example
   * await pipe.addTextEmbedding('my-cat.pt', { token: 'my-cat' })
   */
  async addTextEmbedding(file: string, options: AddTextEmbeddingOptions = {}): Promise<TextEmbedding> {
    const path = pathOf(file, 'file');
    const settings = textEmbeddingSettings(options);
    if (this.disposed) throw closedError();
    return this.#attaching.load(settings.signal, (stop) => this.#words.load(path, settings, stop));
  }

  /**
   * Attaches a ControlNet or T2I-Adapter, a file or a diffusers folder; it acts in runs whose `controls` name it.
   *
   * @example
   * const edges = await pipe.addControlNet('control_v11p_sd15_canny.safetensors', { name: 'edges' })
   */
  async addControlNet(file: string, options: AddControlNetOptions = {}): Promise<ControlNet> {
    return this.#nets.add(pathOf(file, 'file'), options);
  }

  /**
   * Writes the model with its attached LoRAs merged, as `convert` does: `.safetensors` is one file, else it is a folder.
   *
   * @example
   * await pipe.saveMerged('sd15-ink.safetensors')
   */
  async saveMerged(path: string, options: ConvertOptions = {}): Promise<ConvertResult> {
    if (this.disposed) throw closedError();
    const of = { host: this.#host, model: this.#model, attaching: this.#attaching, loras: this.#loras.merged };
    return saveMerged({ ...of, hasOtherVae: !!this.#settings.vae }, pathOf(path, 'path'), options);
  }

  /**
   * Draws pictures, in the order of the calls. The job can be awaited for the result and followed with `for await`.
   *
   * @example
   * const { images, seeds } = await pipe.generate({ prompt: 'portrait of a man', references: [{ image: 'him.png' }] })
   */
  generate(options: GenerateOptions): Job {
    const control = new JobControl();
    const asked = performance.now();
    try {
      if (this.disposed) throw closedError();
      const settings = runSettings(options, this.#model.defaults, this.#settings.maxPromptChars);
      control.listen(settings.onProgress);
      if (settings.signal?.aborted) throw abortError(settings.signal.reason);
      const attached = {
        model: this.#model,
        adapters: this.#adapters,
        controlNets: this.#nets.byName,
        loras: this.#loras.byName,
        companions: this.#companions,
        words: this.#words.words,
      };
      const run = checkedRun(settings, attached, this.#settings);
      submit(run, control, asked, {
        host: this.#host,
        model: this.#model,
        weights: this.#weights,
        limits: this.#settings.images,
        queue: this.#queue,
        jobs: this.#jobs,
      });
    } catch (error) {
      control.fail(error);
    }
    return control.job;
  }

  /**
   * Frees everything. Running and waiting jobs are cancelled, or with `drain` ended first; calling it again changes nothing.
   *
   * @example
   * await pipe.dispose({ drain: true })
   */
  dispose(options: { readonly drain?: boolean } = {}): Promise<void> {
    this.#ending ??= this.#end(options.drain === true);
    return this.#ending;
  }

  /** As `dispose`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  #encode(adapter: Adapter, settings: EncodeSettings): Promise<Embedding> {
    return this.#attaching.load(settings.signal, async (stop) => {
      const { images: limits, logger, strict } = this.#settings;
      const context = { host: this.#host, limits, stop, warn: warner(() => undefined, logger, strict) };
      const handle = await encode(context, adapterParts(adapter), settings);
      return { handle, keep: () => undefined, drop: () => undefined };
    });
  }

  #checkName(what: string, name: string, taken: ReadonlyMap<string, unknown>): void {
    if (this.disposed) throw closedError();
    freeName(what, name, taken);
  }

  #detachAdapter(adapter: Adapter): Promise<void> {
    const { lora, free } = adapterParts(adapter);
    this.#adapters.delete(adapter.name);
    this.#companions.leave(adapter);
    return this.#queue.between(() => this.#weights.without(lora?.deltas).finally(free));
  }

  async #end(drain: boolean): Promise<void> {
    this.#closing.abort(closedError());
    if (!drain) for (const job of [...this.#jobs]) job.fail(abortError(closedError()));
    await this.#attaching.ended();
    await this.#queue.idle();
    this.#weights.end();
    const nets = this.#nets.byName.values();
    const all = [...this.#adapters.values(), ...this.#loras.byName.values(), ...this.#words.handles, ...nets];
    for (const handle of all) await handle.dispose();
    this.#model.dispose();
    this.#host.close();
  }
}
