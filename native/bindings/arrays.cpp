#include "arrays.hpp"

namespace headrace::bindings {

namespace {

bool known_type(nb::dlpack::dtype d, SampleType& out) {
    if (d.lanes != 1) return false;
    struct Entry {
        nb::dlpack::dtype dtype;
        SampleType type;
    };
    static const Entry entries[] = {
        {nb::dtype<std::int8_t>(), SampleType::i8},   {nb::dtype<std::uint8_t>(), SampleType::u8},
        {nb::dtype<std::int16_t>(), SampleType::i16}, {nb::dtype<std::uint16_t>(), SampleType::u16},
        {nb::dtype<std::int32_t>(), SampleType::i32}, {nb::dtype<std::uint32_t>(), SampleType::u32},
        {nb::dtype<std::int64_t>(), SampleType::i64}, {nb::dtype<std::uint64_t>(), SampleType::u64},
        {nb::dtype<float>(), SampleType::f32},        {nb::dtype<double>(), SampleType::f64},
    };
    for (const Entry& e : entries)
        if (e.dtype == d) {
            out = e.type;
            return true;
        }
    if (d.code == static_cast<std::uint8_t>(nb::dlpack::dtype_code::Complex) && (d.bits == 64 || d.bits == 128)) {
        out = d.bits == 64 ? SampleType::c64 : SampleType::c128;
        return true;
    }
    return false;
}

template <class Array>
SampleType checked_type(const Array& array, const char* what) {
    SampleType type{};
    if (!known_type(array.dtype(), type)) {
        const std::string message = std::string(what) + " has a dtype that is none of int8 to int64, uint8 to uint64, float32, float64, " +
                                    "complex64, complex128 in native byte order; convert it with astype";
        throw nb::type_error(message.c_str());
    }
    if (array.device_type() != nb::device::cpu::value) {
        const std::string message = std::string(what) + " must be in the memory of the CPU";
        throw nb::value_error(message.c_str());
    }
    std::int64_t expected = 1;
    bool contiguous = array.size() == 0;
    if (!contiguous) {
        contiguous = true;
        for (std::size_t d = array.ndim(); d-- > 0;) {
            if (array.shape(d) != 1 && array.stride(d) != expected) contiguous = false;
            expected *= static_cast<std::int64_t>(array.shape(d));
        }
    }
    if (!contiguous) {
        const std::string message = std::string(what) + " must be C-contiguous; copy it with numpy.ascontiguousarray";
        throw nb::value_error(message.c_str());
    }
    return type;
}

[[noreturn]] void not_an_array(nb::handle object, const char* what) {
    const std::string message = std::string(what) + " must be an array of a numeric dtype in native byte order, not " +
                                nb::type_name(object.type()).c_str();
    throw nb::type_error(message.c_str());
}

}  // namespace

SampleType sample_type(const Readable& array, const char* what) { return checked_type(array, what); }
SampleType sample_type(const Writable& array, const char* what) { return checked_type(array, what); }

Readable readable(nb::handle object, const char* what) {
    Readable array;
    if (!nb::try_cast(object, array, false) || !array.is_valid()) not_an_array(object, what);
    return array;
}

Writable writable(nb::handle object, const char* what) {
    Writable array;
    if (nb::try_cast(object, array, false) && array.is_valid()) return array;
    readable(object, what);
    const std::string message = std::string(what) + " is read-only; pass a writable array";
    throw nb::value_error(message.c_str());
}

std::span<const double> doubles(const Readable& array, const char* what) {
    if (sample_type(array, what) != SampleType::f64) {
        const std::string message = std::string(what) + " must be float64";
        throw nb::type_error(message.c_str());
    }
    if (array.ndim() != 1) {
        const std::string message = std::string(what) + " must have one dimension, not " + std::to_string(array.ndim());
        throw nb::value_error(message.c_str());
    }
    return {static_cast<const double*>(array.data()), array.size()};
}

void same_shape(const Readable& a, const char* what_a, const Writable& b, const char* what_b) {
    bool same = a.ndim() == b.ndim();
    for (std::size_t d = 0; same && d < a.ndim(); ++d) same = a.shape(d) == b.shape(d);
    if (same) return;
    const std::string message = std::string(what_a) + " and " + what_b + " must have the same shape";
    throw nb::value_error(message.c_str());
}

}  // namespace headrace::bindings
