export type { Adapter, AdapterInfo } from './adapters/adapter.js';
export type { BlockScale, Scale, ScaleByBlock } from './adapters/scales.js';
export type { Variant } from './adapters/variants.js';
export { type DefaultModel, defaultModel } from './default-model.js';
export { type Device, devices } from './devices.js';
export {
  AbortError,
  BinaryError,
  DeviceError,
  type ErrorCode,
  type ErrorDetails,
  FaceError,
  ImageInputError,
  InternalError,
  IpAdapterError,
  JobError,
  ModelFileError,
  ModelMismatchError,
  NumericError,
  OptionError,
  OutputError,
  ResourceError,
  ServerError,
  StateError,
} from './errors.js';
export { type Face, FaceAnalyzer } from './face.js';
export type { GeneratedImage, OutputFormat } from './generated-image.js';
export type { ImageSource, RawImage } from './image.js';
export { type InspectedVariant, type Inspection, inspect } from './inspect.js';
export type { GenerateResult, Job, JobEvent, Timings } from './job.js';
export type { Lora, LoraInfo } from './lora.js';
export { type Metadata, type RunRecord, readMetadata } from './metadata.js';
export type { DetectedFace } from './native.js';
export {
  type GenerateOptions,
  type GivenFace,
  type PickFace,
  type Reference,
  type ReferenceSource,
  schedules,
} from './options.js';
export type { AddAdapterOptions, AddLoraOptions, FaceFiles, LoadEvent, LoadOptions, Logger } from './options-load.js';
export { Pipeline, type PipelineInfo } from './pipeline.js';
export type { Prediction, SigmaSchedule, Spacing } from './schedulers/config.js';
export { type Sampler, samplers } from './schedulers/index.js';
export { version } from './version.js';
export type { Warning } from './warnings.js';
