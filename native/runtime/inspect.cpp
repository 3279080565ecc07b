#include "runtime/inspect.h"

#include "core/error.h"
#include "io/file.h"
#include "io/open.h"
#include "io/sniff.h"
#include "weights/identify.h"
#include "weights/names/ip_adapter.h"

namespace ipa {

Inspection inspect(const std::string& path) {
  Inspection found;
  {
    const File file(path);
    found.format = format_text(sniff(file));
    found.bytes = file.size();
  }
  found.source = without_nesting(open_weights(path));
  const FileIdentity identity = identify(found.source.index);
  found.kind = kind_text(identity.kind);
  if (!identity.family.empty()) found.kind += " (" + identity.family + ")";
  if (identity.kind == FileKind::ip_adapter && identity.loads)
    found.adapter = naming_file(found.source.label,
                                [&] { return detect_adapter(adapter_groups(found.source).index, found.source.label); });
  return found;
}

}  // namespace ipa
