// The one function of bcryptprimitives.dll that libvips asks for and wine 8 lacks: random bytes.
extern "C" __declspec(dllimport) unsigned char SystemFunction036(void* to, unsigned long bytes);

extern "C" __declspec(dllexport) int ProcessPrng(unsigned char* to, unsigned long long bytes) {
  return SystemFunction036(to, static_cast<unsigned long>(bytes));
}
