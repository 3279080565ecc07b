#include "runtime/inspect.h"

#include "core/error.h"
#include "io/file.h"
#include "io/open.h"
#include "io/sniff.h"
#include "weights/identify.h"
#include "weights/names/ip_adapter.h"

namespace ipa {

Inspection inspect(const std::string& path, const UNetConfig* unet) {
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
  if (unet) require_loadable(found.source.index, found.source.label);
  const bool adapter = identity.kind == FileKind::ip_adapter && identity.loads;
  if (adapter || (unet && identity.kind == FileKind::unknown)) {
    naming_file(found.source.label, [&] {
      found.adapter = detect_adapter(adapter_groups(found.source).index, found.source.label);
      if (unet) check_fit(*found.adapter, *unet, found.source.label);
    });
  }
  return found;
}

UNetConfig inspect_unet(const std::string& path) {
  const TensorSource source = without_nesting(open_weights(path));
  require_loadable(source.index, source.label);
  return naming_file(source.label, [&] { return detect_unet(source.index, {}); });
}

}  // namespace ipa
