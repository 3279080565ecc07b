// The file seems right and the system does not load it. A row says what the system's words mean; the first that fits is
// told, and the last fits always.
import { quoted } from '../../errors.js';
import type { LoadFacts } from './facts.js';
import type { Failure } from './failure.js';
import { subject } from './failure.js';

const isOn = ({ machine }: LoadFacts, platform: string): boolean => machine.platform === platform;

/** Words of glibc and of musl for a library that the file needs and that is not there. */
const LIBRARY =
  /(?:^|: )([^\s:]+\.so[^\s:]*): cannot open shared object file: No such file|loading shared library ([^\s:]+): No such file/;
const library = ({ reason = '' }: LoadFacts): string | undefined => {
  const match = LIBRARY.exec(reason);
  return match?.[1] ?? match?.[2];
};

const errno = ({ file }: LoadFacts): string => (file.state === 'unreadable' ? file.errno : '');

/**
 * What the system says behind glibc's and musl's words for a file that may not be mapped as code; undefined where it was
 * something else. trap: glibc 2.36 says no more than its own words.
 */
const refusal = ({ machine, reason = '' }: LoadFacts): string | undefined => {
  if (machine.platform !== 'linux') return undefined;
  const glibc = /failed to map segment from shared object(?:: (.*))?$/.exec(reason);
  const musl = /loading shared library [^:]+: ((?:operation not permitted|permission denied).*)$/i.exec(reason);
  return glibc ? (glibc[1] ?? '') : musl?.[1];
};

export const REFUSED: readonly Failure[] = [
  {
    id: 'quarantined',
    code: 'BINARY_INCOMPATIBLE',
    fits: (facts) => isOn(facts, 'win32') && facts.file.state === 'unreadable',
    message: (facts) => `${subject(facts)} is there and cannot be read (${errno(facts)}): an antivirus may hold it`,
    hint: "Look into the antivirus's list of held files, allow this one, then: npm ci",
  },
  {
    id: 'unreadable',
    code: 'BINARY_INCOMPATIBLE',
    fits: ({ file }) => file.state === 'unreadable',
    message: (facts) => `${subject(facts)} is there and cannot be read (${errno(facts)})`,
    hint: 'Give the user that runs Node the right to read it: chmod -R a+rX node_modules/node-ip-adapter',
  },
  {
    id: 'noexec',
    code: 'BINARY_INCOMPATIBLE',
    fits: (facts) => {
      const said = refusal(facts);
      return said !== undefined && (facts.noexec !== undefined || /not permitted/i.test(said));
    },
    message: (facts) => {
      const place = facts.noexec === undefined ? 'a file system' : quoted(facts.noexec);
      return `${subject(facts)} lies in ${place}, which is mounted with noexec: nothing may be run from there`;
    },
    hint: 'Install the package elsewhere, or allow it: mount -o remount,exec and the folder that is mounted (findmnt -T names it)',
  },
  {
    id: 'denied',
    code: 'BINARY_INCOMPATIBLE',
    fits: (facts) => /^$|permission denied/i.test(refusal(facts) ?? 'nothing of that'),
    message: (facts) => `${subject(facts)} may not be run: a rule of SELinux, AppArmor or fapolicyd forbids it`,
    hint: 'ausearch -m avc,fanotify -ts recent names the rule; for SELinux: restorecon -R node_modules/node-ip-adapter',
  },
  {
    id: 'no-library',
    code: 'BINARY_INCOMPATIBLE',
    fits: (facts) => library(facts) !== undefined,
    message: (facts) => `${subject(facts)} needs ${library(facts)}, which this system has not`,
    hint: 'Install the system package with that library, or compile the addon here: npx node-ip-adapter build',
  },
  {
    id: 'mac-policy',
    code: 'BINARY_INCOMPATIBLE',
    fits: (facts) =>
      isOn(facts, 'darwin') && /code sign|library load disallowed|Team ID|not valid for use/i.test(facts.reason ?? ''),
    message: (facts) => `${subject(facts)} is refused by macOS, which does not trust its signature or its origin`,
    hint: 'Take the mark of a downloaded file away: xattr -dr com.apple.quarantine node_modules/node-ip-adapter',
  },
  {
    id: 'old-mac',
    code: 'BINARY_INCOMPATIBLE',
    fits: (facts) =>
      isOn(facts, 'darwin') && /newer than running OS|built for newer|symbol not found/i.test(facts.reason ?? ''),
    message: (facts) => `${subject(facts)} needs a newer macOS`,
    hint: 'The published files need macOS 11.0 or newer. Take a newer system, or compile it here: npx node-ip-adapter build',
  },
  {
    id: 'windows-module',
    code: 'BINARY_INCOMPATIBLE',
    fits: (facts) => isOn(facts, 'win32') && /could not be found/i.test(facts.reason ?? ''),
    message: (facts) =>
      `${subject(facts)} needs nothing but DLLs of Windows, and one of them cannot be found: Windows is too old, or an ` +
      'antivirus holds the addon back',
    hint: 'Windows 10 or Server 2016 is needed; where that runs, allow the file in the antivirus, then: npm ci',
  },
  {
    id: 'windows-invalid',
    code: 'BINARY_INCOMPATIBLE',
    fits: (facts) => isOn(facts, 'win32') && /not a valid Win32 application/i.test(facts.reason ?? ''),
    message: (facts) => {
      const bytes = facts.file.state === 'file' ? ` of ${facts.file.size} bytes` : '';
      return `${subject(facts)} is damaged: Windows takes the file${bytes} for no program`;
    },
    hint: 'Put the file back as it was published: npm ci',
    isOfFile: true,
  },
  {
    id: 'other',
    code: 'BINARY_INCOMPATIBLE',
    fits: () => true,
    message: (facts) =>
      `${subject(facts)} does not load: ${(facts.reason ?? 'no reason was given').replace(/\s+/g, ' ').trim()}`,
    hint: 'Build it for this machine: npx node-ip-adapter build',
    isOfFile: true,
  },
];
