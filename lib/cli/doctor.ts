import { release } from 'node:os';
import { Command } from 'commander';
import { type CudaDevice, devices, type IpAdapterError, type UnusableDevice, version } from '../index.js';
import { emulation, machine, processorName, withTranslation } from '../native/binary/machine.js';
import { findCudaLibrary } from '../native/device-library.js';
import { addon, type Loaded, loadedAddon } from '../native/native.js';
import { cardText, print, printJson } from './output.js';

/** Whether cards are used, and what is known of each; `library` is absent where none is installed. */
interface CudaReport {
  readonly usable: boolean;
  /** Why not. */
  readonly reason?: string;
  readonly library?: string;
  readonly cards: readonly (CudaDevice | UnusableDevice)[];
}

type BinaryReport =
  | { readonly path: string; readonly source: Loaded['source']; readonly why: string }
  | {
      readonly code: string;
      readonly message: string;
      readonly hint: string;
      /** What was looked for and found. */
      readonly details?: object;
    };

interface Report {
  readonly version: string;
  readonly node: string;
  readonly platform: string;
  /** The C library, such as `glibc 2.36`; null where there is no choice of them. */
  readonly libc: string | null;
  /** What stands between this Node and the processor; null where nothing does. */
  readonly emulated: string | null;
  readonly binary: BinaryReport;
  readonly cpu: { readonly levels: readonly string[]; readonly chosen: string; readonly threads: number } | null;
  readonly cuda: CudaReport;
  /** What works and could do so better. */
  readonly warnings: readonly string[];
  readonly problems: readonly string[];
}

/** Why this file is the addon. */
const WHY: Readonly<Record<Loaded['source'], string>> = {
  IPA_BINARY: 'IPA_BINARY names it',
  build: 'built on this machine, so taken before prebuilt ones',
  prebuilds: 'the prebuilt one for this platform and C library',
  elsewhere: 'found by node-gyp-build outside this package: NODE_IP_ADAPTER_PREBUILD, or beside Node itself',
};

/** Missing or useless CUDA is no problem: pipelines run on the CPU then. */
const examineCuda = async (): Promise<CudaReport> => {
  const lookup = findCudaLibrary();
  const library = 'path' in lookup ? { library: lookup.path } : {};
  const found = (await devices()).filter((device) => device.id !== 'cpu');
  const cards = found.filter((device) => device.id !== 'cuda'); // `cuda` stands for all of them: there is no card to list
  if (found.some((device) => device.usable)) return { usable: true, ...library, cards };
  const reason = found.map((device) => (device.usable ? '' : device.reason)).join('; ');
  return { usable: false, reason, ...library, cards };
};

const examine = async (): Promise<Report> => {
  const problems: string[] = [];
  const here = withTranslation(machine());
  const emulated = emulation(here, processorName());
  let binary: BinaryReport;
  let cpu: Report['cpu'] = null;
  let cuda: CudaReport = { usable: false, reason: 'the native addon does not load', cards: [] };
  try {
    const { path, source } = loadedAddon();
    binary = { path, source, why: WHY[source] };
    const engine = new (addon().Engine)({});
    cpu = { levels: addon().levels(), chosen: engine.info.level, threads: engine.info.threads };
    engine.close();
    cuda = await examineCuda();
  } catch (error) {
    const known = error as IpAdapterError;
    problems.push(`${known.message}. ${known.hint ?? ''}`.trim());
    const { code = 'INTERNAL', message, hint = '', details } = known;
    binary = { code, message, hint, ...(details ? { details } : {}) };
  }
  return {
    version,
    node: process.version,
    platform: `${process.platform}-${process.arch} (${release()})`,
    libc: here.libc === undefined ? null : [here.libc, here.libcVersion].filter(Boolean).join(' '),
    emulated: emulated?.what ?? null,
    binary,
    cpu,
    cuda,
    warnings: emulated ? [`${emulated.what}. ${emulated.remedy}`] : [],
    problems,
  };
};

/** The file and why it was taken, or what was looked for in vain and what is there instead. */
const binaryLines = (binary: BinaryReport): string[] => {
  if ('path' in binary) return [`addon   ${binary.path}`, `        ${binary.why}`];
  const { tried, prebuilds, reason } = (binary.details ?? {}) as Record<string, unknown>;
  const carried = Array.isArray(prebuilds) ? `has ${prebuilds.join(', ') || 'nothing'}` : 'is not there';
  return [
    `addon   ${binary.code}`,
    ...(Array.isArray(tried) ? [`        looked at ${tried.join(', ')}`, `        prebuilds/ ${carried}`] : []),
    ...(typeof reason === 'string' ? [`        loading it said: ${reason.split('\n')[0]}`] : []),
  ];
};

const cudaLines = ({ usable, reason, library, cards }: CudaReport): string[] => [
  ...(usable
    ? cards.map((card) => `CUDA    ${card.id}  ${card.usable ? cardText(card) : `not used: ${card.reason}`}`)
    : [`CUDA    not used: ${reason}`]),
  ...(library ? [`        ${library}`] : []),
];

/** `doctor`: what is installed, what was found, what is wrong. */
export const doctorCommand = (): Command =>
  new Command('doctor')
    .description('say what is installed and whether it works')
    .option('--json', 'as JSON on stdout')
    .action(async (flags: { json?: boolean }) => {
      const report = await examine();
      if (flags.json) printJson(report);
      else {
        const libc = report.libc === null ? '' : `, ${report.libc}`;
        print(`node-ip-adapter ${report.version}, Node ${report.node}, ${report.platform}${libc}`);
        for (const line of binaryLines(report.binary)) print(line);
        if (report.cpu) {
          print(`CPU     ${report.cpu.chosen} of ${report.cpu.levels.join(', ')}; ${report.cpu.threads} threads`);
        }
        for (const line of cudaLines(report.cuda)) print(line);
        for (const warning of report.warnings) print(`warning: ${warning}`);
        for (const problem of report.problems) print(`problem: ${problem}`);
      }
      if (report.problems.length > 0) process.exitCode = 1;
    });
