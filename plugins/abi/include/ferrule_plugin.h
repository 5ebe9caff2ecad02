/*
 * ferrule_plugin.h: plug-ins for Ferrule in C, or in anything that can make a C library. C99 and C++ compatible.
 *
 * A plug-in library exports one symbol, the constant table `ferrule_plugin_v1` of type FerrulePlugin, and is built by
 *
 *     cc -O2 -fPIC -shared -fvisibility=hidden -I <folder of this file> -o my_plugin.so my_plugin.c
 *
 * Dropped into a workspace's plugins/, it is tried at once; `ferrule plugin list` says what it offers or why it is
 * refused. examples/bright_spots.c is a whole detector.
 *
 * Coordinates: pixel centres are integers, (0, 0) is the centre of the top-left pixel, x points right, y points down,
 * angles are in degrees and turn from +x toward +y, lengths are in pixels unless a name says otherwise.
 *
 * Ownership: nothing changes hands. What the host passes is borrowed for the call and must be neither changed, nor
 * freed, nor kept. What a plug-in passes to a function of FerruleHost is copied before that function returns.
 *
 * Threads: an instance is called by one thread at a time, not always the same one. Two instances may be called at the
 * same time, so what they share must be constant or locked. Functions of FerruleHost may be called only by the thread
 * that the host called, and only until that call returns.
 *
 * Errors: a call that cannot answer says why, and fails: `return host->fail(host, "one line for a person");`. It costs
 * the plug-in this answer and nothing else. Finding nothing is no error. No C++ exception and no longjmp may leave a
 * function of a plug-in. Whatever a plug-in answers is checked: one number that is not finite, one place outside the
 * picture, one unknown code, and the whole answer is refused with the reason.
 *
 * Texts are UTF-8, end with NUL, and are cut after 4096 bytes. NULL stands for the empty text.
 *
 * Codes: 0 is never one, so that memory that was only zeroed says nothing.
 *
 * How this file grows: FerrulePlugin and FerruleHost may gain members at their ends, which `size` tells; the other
 * structures stay as they are. New inputs come as parameters, new outputs as attributes. What cannot grow that way
 * becomes `ferrule_plugin_v2`.
 */
#ifndef FERRULE_PLUGIN_H
#define FERRULE_PLUGIN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this interface, which is also in the symbol's name. */
#define FERRULE_PLUGIN_VERSION 1u

#if defined(__GNUC__)
#define FERRULE_EXPORT __attribute__((visibility("default")))
#else
#define FERRULE_EXPORT
#endif

/* ------------------------------------------------------------------------------------------------------- codes --- */

/* What a function of a plug-in returns; anything but FERRULE_OK is a failure. */
enum { FERRULE_OK = 0, FERRULE_FAILED = 1 };

/* A place in the pipeline. */
enum {
    FERRULE_SLOT_SEGMENT = 1, /* picture -> zones of the end face */
    FERRULE_SLOT_DETECT = 2,  /* picture, zones -> defects */
    FERRULE_SLOT_MEASURE = 3, /* picture, zones, defects -> features, histograms */
    FERRULE_SLOT_GRADE = 4    /* geometry -> verdict */
};

/* What a plug-in needs around it. */
enum {
    FERRULE_PROFILE_NARROW = 1, /* a sandboxed worker without network, new processes or writes */
    FERRULE_PROFILE_WIDE = 2    /* a GPU, a large runtime: a worker of its own with a wider sandbox */
};

/* How a pixel is stored; bits, so that a descriptor can accept several. Wide samples are in the machine's order. */
enum {
    FERRULE_FORMAT_GRAY8 = 1,  /* one byte, 0 black, 255 white */
    FERRULE_FORMAT_GRAY16 = 2, /* uint16_t, 0 black, 65535 white */
    FERRULE_FORMAT_RGB8 = 4    /* three bytes: red, green, blue */
};

/* Zones from the middle out (A to D in IEC 61300-3-35). A label map holds these, and 0 for no zone. */
enum {
    FERRULE_ZONE_CORE = 1,
    FERRULE_ZONE_CLADDING = 2,
    FERRULE_ZONE_ADHESIVE = 3,
    FERRULE_ZONE_FERRULE = 4
};

/* What a defect is. */
enum {
    FERRULE_KIND_SCRATCH = 1,  /* long and thin, straight or curved */
    FERRULE_KIND_PIT = 2,      /* a dig in the surface */
    FERRULE_KIND_CHIP = 3,     /* a broken edge of the glass */
    FERRULE_KIND_PARTICLE = 4, /* loose, compact dirt */
    FERRULE_KIND_RESIDUE = 5,  /* a smear or film */
    FERRULE_KIND_ANOMALY = 6   /* deviates from a reference, kind unknown */
};

/* How much a defect matters. */
enum {
    FERRULE_SEVERITY_NEGLIGIBLE = 1,
    FERRULE_SEVERITY_LOW = 2,
    FERRULE_SEVERITY_MEDIUM = 3,
    FERRULE_SEVERITY_HIGH = 4,
    FERRULE_SEVERITY_CRITICAL = 5
};

/* The end of a grading. */
enum { FERRULE_OUTCOME_PASS = 1, FERRULE_OUTCOME_FAIL = 2, FERRULE_OUTCOME_NOT_GRADED = 3 };

/* Which member of a FerruleValue counts. */
enum { FERRULE_TYPE_BOOL = 1, FERRULE_TYPE_INTEGER = 2, FERRULE_TYPE_REAL = 3, FERRULE_TYPE_TEXT = 4 };

/* What values a parameter takes. */
enum {
    FERRULE_PARAMETER_BOOL = 1,
    FERRULE_PARAMETER_INTEGER = 2,
    FERRULE_PARAMETER_REAL = 3,
    FERRULE_PARAMETER_CHOICE = 4,
    FERRULE_PARAMETER_TEXT = 5,
    FERRULE_PARAMETER_FILE = 6
};

/* ------------------------------------------------------------------------------------------- values, parameters --- */

/* One value. From the host, the members that `type` does not name are zero and an empty text: to read the wrong one is
   a wrong value and nothing worse. */
typedef struct FerruleValue {
    uint32_t type;
    uint32_t boolean; /* 0 or 1 */
    int64_t integer;
    double real;
    const char *text;
} FerruleValue;

/* A parameter's value given to a plug-in, or an attribute beside its answer. */
typedef struct FerruleNamedValue {
    const char *name;
    FerruleValue value;
} FerruleNamedValue;

/* One parameter: the source of its form, its check in the configuration and its reference page. Write it with one of
   the macros below. `low` and `high` are included in what is allowed. */
typedef struct FerruleParameterSpec {
    const char *name; /* lower-case letters, digits, _ */
    const char *unit; /* "px", "um", "sigma", "gray", ..., or "" */
    const char *help; /* one line */
    uint32_t kind;
    uint32_t default_bool;
    int64_t default_integer, low_integer, high_integer;
    double default_real, low_real, high_real;
    const char *default_text;   /* of a choice: one of its options */
    const char *const *options; /* of a choice */
    size_t option_count;
} FerruleParameterSpec;

#define FERRULE_BOOL(name, standard, help) \
    {name, "", help, FERRULE_PARAMETER_BOOL, standard, 0, 0, 0, 0.0, 0.0, 0.0, NULL, NULL, 0}
#define FERRULE_INTEGER(name, standard, low, high, unit, help) \
    {name, unit, help, FERRULE_PARAMETER_INTEGER, 0, standard, low, high, 0.0, 0.0, 0.0, NULL, NULL, 0}
#define FERRULE_REAL(name, standard, low, high, unit, help) \
    {name, unit, help, FERRULE_PARAMETER_REAL, 0, 0, 0, 0, standard, low, high, NULL, NULL, 0}
/* `options` is an array of texts, not a pointer to one. */
#define FERRULE_CHOICE(name, standard, options, help) \
    {name, "", help, FERRULE_PARAMETER_CHOICE, 0, 0, 0, 0, 0.0, 0.0, 0.0, standard, options, FERRULE_COUNT(options)}
/* Any text, empty unless given. */
#define FERRULE_TEXT(name, help) \
    {name, "", help, FERRULE_PARAMETER_TEXT, 0, 0, 0, 0, 0.0, 0.0, 0.0, "", NULL, 0}
/* The path of a file that decides results, empty unless given; the plug-in gets it absolute. The host refuses one that
   cannot be read, and the file's content counts as part of the value. */
#define FERRULE_FILE(name, help) \
    {name, "", help, FERRULE_PARAMETER_FILE, 0, 0, 0, 0, 0.0, 0.0, 0.0, "", NULL, 0}

/* Members of an array. */
#define FERRULE_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What a plug-in says of itself. */
typedef struct FerruleDescriptor {
    const char *id;      /* lower-case words joined by hyphens; unique among all plug-ins */
    const char *version; /* semantic: "1.2.3" */
    const char *summary; /* one line */
    uint32_t slot;       /* FERRULE_SLOT_... */
    uint32_t profile;    /* FERRULE_PROFILE_... */
    uint32_t accepts;    /* pixel formats it takes as they come, joined by |; anything else is converted to gray 8-bit
                            first. 0 means FERRULE_FORMAT_GRAY8. */
    const FerruleParameterSpec *parameters;
    size_t parameter_count;
} FerruleDescriptor;

/* ------------------------------------------------------------------------------------------------ what is given --- */

/* A picture. Both sides are at least 1. */
typedef struct FerruleImage {
    const uint8_t *pixels; /* rows from top to bottom, `stride` bytes apart; see ferrule_row */
    uint32_t format;       /* one that the descriptor accepts */
    uint32_t width;        /* pixels a row */
    uint32_t height;       /* rows */
    uint32_t stride;       /* bytes from one row's first pixel to the next row's */
    double um_per_px;      /* micrometres a pixel along y (and along x divided by pixel_aspect); NaN where unknown */
    double pixel_aspect;   /* width of a pixel divided by its height; NaN where unknown. A round fibre on pixels of
                              aspect a is an ellipse with ax / by = 1 / a. */
} FerruleImage;

/* An ellipse. `ax` is the semi-axis nearest x, `by` the one nearest y, so `angle_deg` lies in [-45, 45] and turns `ax`
   from +x toward +y. */
typedef struct FerruleEllipse {
    double cx, cy;
    double ax, by;
    double angle_deg;
} FerruleEllipse;

/* One zone by its outer outline. It reaches inward to the next smaller zone that was found. */
typedef struct FerruleZone {
    FerruleEllipse outline;
    double confidence; /* probability, 0 to 1, that the outline is right within the tolerance of a person's eye */
    uint32_t name;     /* FERRULE_ZONE_CORE ... */
} FerruleZone;

/* The segmentation in force. */
typedef struct FerruleSegmentation {
    const FerruleZone *zones; /* at most one of each name; none where no fibre was found */
    size_t zone_count;
    const uint8_t *labels; /* a zone's code or 0 a pixel: width * height bytes without padding, never NULL */
} FerruleSegmentation;

/* A box of whole pixels: columns x .. x + width - 1, rows y .. y + height - 1. */
typedef struct FerruleBox {
    uint32_t x, y, width, height;
} FerruleBox;

/* `length` pixels of a mask in row `y`, from column `x` on. */
typedef struct FerruleRun {
    uint32_t y, x, length;
} FerruleRun;

/* One defect. Clear it with memset before filling it. */
typedef struct FerruleDefect {
    uint32_t kind;      /* FERRULE_KIND_SCRATCH ... */
    uint32_t severity;  /* FERRULE_SEVERITY_NEGLIGIBLE ... */
    double confidence;  /* probability, 0 to 1, that a person would agree that something is there */
    FerruleBox bbox;    /* tight around the mask, inside the picture, not empty */
    double x, y;        /* centroid of the mask; from a detector ignored: the host computes it */
    double length_px;   /* along the longest direction, along the curve for a scratch */
    double width_px;    /* mean width across it */
    double angle_deg;   /* direction of the length, in (-90, 90] */
    uint32_t area_px;   /* pixels of the mask; from a detector ignored: the host computes it */
    const FerruleRun *mask; /* in rising order of (y, x), not overlapping, inside the picture. Without runs a detector's
                               defect covers its box. */
    size_t run_count;
    const FerruleNamedValue *attributes; /* what else the detector knows: "contrast_sigma", ... */
    size_t attribute_count;
} FerruleDefect;

/* A defect as a grader sees it, after merging. Members mean what they mean in FerruleDefect. */
typedef struct FerruleGradedDefect {
    uint32_t kind;
    uint32_t severity;
    double confidence;
    double x, y;
    double length_px;
    double width_px;
    double angle_deg;
    uint32_t area_px;
    uint32_t zone; /* the innermost zone that it touches; 0 outside all zones */
    const FerruleRun *mask;
    size_t run_count;
} FerruleGradedDefect;

/* All that a grader gets. Geometry and scale decide; pixels do not. */
typedef struct FerruleGradeInput {
    uint32_t width, height; /* of the picture: what lies outside was not seen */
    const FerruleZone *zones;
    size_t zone_count;
    const FerruleGradedDefect *defects;
    size_t defect_count;
    double um_per_px;    /* micrometres a pixel along y; NaN where unknown, and then nothing can be graded */
    double pixel_aspect; /* width of a pixel divided by its height; 1 where unknown */
    double core_um;      /* diameter of the core in micrometres; NaN where the fibre is unknown */
    const char *const *flags; /* remarks on the capture: "dark", "blurred", ... */
    size_t flag_count;
} FerruleGradeInput;

/* --------------------------------------------------------------------------------------------- what is answered --- */

/* One number about one region. A value that does not exist (the mean of no pixels) is left out. */
typedef struct FerruleFeature {
    const char *region; /* "core", "cladding", "adhesive", "ferrule", or "image" for the whole picture */
    const char *name;   /* the host understands "quality_score" (0 to 100) and "focus" (0 to 1) of "image" */
    const char *unit;   /* "gray", "px", "um", "deg", "ratio", "count", or "" */
    double value;       /* finite */
} FerruleFeature;

/* Counts in equal bins from `low` (of the first) to `high` (of the last bin's end). */
typedef struct FerruleHistogram {
    const char *region;
    const char *name;
    double low, high;
    const uint64_t *counts;
    size_t bin_count;
} FerruleHistogram;

/* What one zone's rules say. */
typedef struct FerruleZoneVerdict {
    uint32_t zone;
    uint32_t outcome;        /* FERRULE_OUTCOME_PASS ... */
    const char *rule;        /* the rule that failed, in words */
    const uint32_t *defects; /* places in FerruleGradeInput.defects of those that broke it */
    size_t defect_count;
} FerruleZoneVerdict;

/* The verdict on the end face. It never decides what is stored. */
typedef struct FerruleVerdict {
    uint32_t outcome;
    const char *profile; /* the grading profile's name */
    const char *reason;  /* why it was not graded */
} FerruleVerdict;

/*
 * The way back to the host, the first argument of each of its functions. Each takes a copy of what it is given. A
 * function that another slot's answer is made of, or a second verdict, makes the answer a mistake, and it is refused.
 */
typedef struct FerruleHost FerruleHost;
struct FerruleHost {
    uint32_t size; /* of this structure as the host knows it: ask before using what later versions of it added */
    uint32_t version;
    void *context; /* the host's own */

    /* Says why a call cannot answer; what it said before is dropped. Returns FERRULE_FAILED, to be returned. */
    int32_t (*fail)(const FerruleHost *host, const char *message);

    /* describe: one plug-in of this library. */
    void (*add_plugin)(const FerruleHost *host, const FerruleDescriptor *plugin);

    /* segment: one zone, at most one of each name. None at all means that there is no fibre. */
    void (*add_zone)(const FerruleHost *host, const FerruleZone *zone);
    /* segment: a zone's code or 0 for each pixel; `count` is width * height. Left out, the host draws the outlines. */
    void (*set_labels)(const FerruleHost *host, const uint8_t *labels, size_t count);

    /* detect: one defect. None at all means a clean end face. */
    void (*add_defect)(const FerruleHost *host, const FerruleDefect *defect);

    /* measure: one number; one histogram. */
    void (*add_feature)(const FerruleHost *host, const FerruleFeature *feature);
    void (*add_histogram)(const FerruleHost *host, const FerruleHistogram *histogram);

    /* grade: one zone's verdict; the whole verdict, exactly once. */
    void (*add_zone_verdict)(const FerruleHost *host, const FerruleZoneVerdict *verdict);
    void (*set_verdict)(const FerruleHost *host, const FerruleVerdict *verdict);

    /* segment, detect, measure, grade: a named value beside the answer. The host understands "flag", a text that may
       occur several times, as a remark on the capture ("dark", "blurred", ...), and from a segmenter "pixel_aspect". */
    void (*add_attribute)(const FerruleHost *host, const FerruleNamedValue *attribute);
};

/* ---------------------------------------------------------------------------------------------------- the table --- */

/*
 * What a library exports. NULL stands where no plug-in of the library has that slot; `describe`, `create` and `destroy`
 * are always there.
 */
typedef struct FerrulePlugin {
    uint32_t size;    /* sizeof(FerrulePlugin); FERRULE_PLUGIN_HEAD writes both */
    uint32_t version; /* FERRULE_PLUGIN_VERSION */

    /* Says through host->add_plugin what plug-ins there are. */
    int32_t (*describe)(const FerruleHost *host);

    /* Makes an instance of the plug-in with that id, or fails and returns NULL. All parameters that its descriptor
       names are there, in that order, checked: what was not given has its default. A plug-in without a state of its own
       returns the address of something static. */
    void *(*create)(const char *id, const FerruleNamedValue *parameters, size_t parameter_count,
                    const FerruleHost *host);

    /* Ends an instance; it is not used afterwards. */
    void (*destroy)(void *instance);

    int32_t (*segment)(void *instance, const FerruleImage *image, const FerruleHost *host);
    int32_t (*detect)(void *instance, const FerruleImage *image, const FerruleSegmentation *segmentation,
                      const FerruleHost *host);
    int32_t (*measure)(void *instance, const FerruleImage *image, const FerruleSegmentation *segmentation,
                       const FerruleDefect *defects, size_t defect_count, const FerruleHost *host);
    int32_t (*grade)(void *instance, const FerruleGradeInput *input, const FerruleHost *host);
} FerrulePlugin;

/* The first two members of the table. */
#define FERRULE_PLUGIN_HEAD (uint32_t)sizeof(FerrulePlugin), FERRULE_PLUGIN_VERSION

/* Define it in one source file: const FerrulePlugin ferrule_plugin_v1 = {FERRULE_PLUGIN_HEAD, describe, ...}; */
extern FERRULE_EXPORT const FerrulePlugin ferrule_plugin_v1;

/* --------------------------------------------------------------------------------------------------- short cuts --- */

/* The first byte of row `y`. */
static inline const uint8_t *ferrule_row(const FerruleImage *image, uint32_t y)
{
    return image->pixels + (size_t)y * image->stride;
}

/* The parameter of that name; NULL if the descriptor does not name it. */
static inline const FerruleValue *ferrule_parameter(const FerruleNamedValue *parameters, size_t count,
                                                    const char *name)
{
    size_t i;
    for (i = 0; i < count; i++) {
        if (strcmp(parameters[i].name, name) == 0) {
            return &parameters[i].value;
        }
    }
    return NULL;
}

#ifdef __cplusplus
}
#endif

#endif
