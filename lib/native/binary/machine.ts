// What a native addon must fit: the platform, the architecture and the C library of this Node.
import { spawnSync } from 'node:child_process';
import { cpus, machine as hardwareName } from 'node:os';

export interface Machine {
  /** As `process.platform` and `process.arch` say it: of this Node, which may be another than the hardware's. */
  readonly platform: string;
  readonly arch: string;
  /** What the hardware is called there, such as `x86_64`. */
  readonly hardware: string;
  /** Of Linux; undefined elsewhere and where this Node makes no report. */
  readonly libc?: 'glibc' | 'musl';
  /** Of glibc, such as `2.36`; musl tells none. */
  readonly libcVersion?: string;
  readonly node: string;
  /** macOS: whether Rosetta runs this Node; known after `withTranslation`. */
  readonly translated?: boolean;
}

interface Reporter {
  excludeNetwork?: boolean;
  getReport(): unknown;
}

/** The C library as Node's own report names it: a version of glibc, or none where Node was built for musl. */
const libcOf = (): Pick<Machine, 'libc' | 'libcVersion'> => {
  const report = process.report as Reporter | undefined;
  if (process.platform !== 'linux' || !report) return {};
  const before = report.excludeNetwork;
  try {
    report.excludeNetwork = true; // trap: else the report asks DNS for the peer of every open socket
    const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
    if (!header) return {};
    const version = header.glibcVersionRuntime;
    return version ? { libc: 'glibc', libcVersion: version } : { libc: 'musl' };
  } catch {
    return {};
  } finally {
    if (before !== undefined) report.excludeNetwork = before;
  }
};

let known: Machine | undefined;

/** This machine; starts no program. */
export const machine = (): Machine => {
  known ??= {
    platform: process.platform,
    arch: process.arch,
    hardware: hardwareName(),
    ...libcOf(),
    node: process.version,
  };
  return known;
};

/** With the answer to whether Rosetta runs this Node: starts a program, so for `doctor` and for errors alone. */
export const withTranslation = (asked: Machine): Machine => {
  if (asked.platform !== 'darwin' || asked.arch !== 'x64') return asked;
  const { stdout } = spawnSync('/usr/sbin/sysctl', ['-n', 'sysctl.proc_translated'], {
    encoding: 'utf8',
    timeout: 2000, // ms
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return { ...asked, translated: stdout?.trim() === '1' };
};

/** The machine in words: `linux-x64, glibc 2.36`. */
export const machineText = ({ platform, arch, libc, libcVersion }: Machine): string => {
  const library = libc === undefined ? '' : `, ${libc}${libcVersion === undefined ? '' : ` ${libcVersion}`}`;
  return `${platform}-${arch}${library}`;
};

/** Signs of another processor than the one that an x64 Node takes it for. */
const OTHER_PROCESSOR = /VirtualApple|^Apple |\bTCG\b|Snapdragon|Qualcomm|ARMv\d/;

/** What stands between this Node and the processor, and the remedy; undefined where nothing does. */
export const emulation = (asked: Machine, processor: string): { what: string; remedy: string } | undefined => {
  if (asked.arch !== 'x64') return undefined;
  if (asked.translated)
    return {
      what: 'This Node is built for Intel and runs under Rosetta on Apple Silicon: slow, and without AVX',
      remedy: 'Install the arm64 build of Node (node -p process.arch then says arm64)',
    };
  if (!OTHER_PROCESSOR.test(processor)) return undefined;
  return {
    what: `This Node is built for x64 and runs emulated on another processor (${processor.trim()}): slow, and without AVX`,
    remedy:
      'Install the arm64 build of Node; in Docker take an image for linux/arm64 (docker run --platform linux/arm64)',
  };
};

/** What the operating system calls the processor. */
export const processorName = (): string => cpus()[0]?.model ?? '';
