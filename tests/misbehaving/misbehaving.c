/*
 * A plug-in for each slot that behaves like those of the crate beside it, in C, and lies like no Rust could, as its
 * parameter `fault` says. Nothing here is ever shipped: the tests compile it, some of them with a table that is wrong
 * (TABLE_SIZE, TABLE_VERSION, NO_CREATE, NO_DETECT, UNRESOLVED) or a description that is (DESCRIBE_FAILS, SLOT, TWICE).
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "ferrule_plugin.h"

#ifndef SLOT
#define SLOT FERRULE_SLOT_DETECT
#endif

static const char *const FAULTS[] = {
    "none",       "echo",           "error",      "error-and-ok", "silent",      "nan",        "outside",
    "bad-code",   "null-list",      "long-list",  "odd-address",  "wrong-slot",  "endless",    "segfault",
    "no-verdict", "second-verdict", "bad-labels", "null",         "control-text", "masks"
};

static const char *const TONES[] = {"dark", "bright"};

static const FerruleParameterSpec PARAMETERS[] = {
    FERRULE_CHOICE("fault", "none", FAULTS, "what goes wrong"),
    FERRULE_BOOL("flip", 1, "a switch"),
    FERRULE_INTEGER("count", 7, -9, 9, "px", "a whole number"),
    FERRULE_REAL("level", 0.25, 0.0, 1.0, "ratio", "a number"),
    FERRULE_CHOICE("tone", "bright", TONES, "a word"),
    FERRULE_TEXT("note", "a text"),
    FERRULE_FILE("table", "a file"),
};

typedef struct Moods {
    char fault[32];
    double sum; /* over all parameters, so that the test sees that each arrived */
} Moods;

/* ------------------------------------------------------------------------------------------------- description --- */

static void describe_one(const FerruleHost *host, const char *id, uint32_t slot)
{
    FerruleDescriptor descriptor;
    memset(&descriptor, 0, sizeof descriptor);
    descriptor.id = id;
    descriptor.version = "0.1.0";
    descriptor.summary = "misbehaves on request";
    descriptor.slot = slot;
    descriptor.profile = FERRULE_PROFILE_NARROW;
    descriptor.accepts = FERRULE_FORMAT_GRAY8;
    descriptor.parameters = PARAMETERS;
    descriptor.parameter_count = FERRULE_COUNT(PARAMETERS);
    host->add_plugin(host, &descriptor);
}

#ifdef UNRESOLVED
extern int32_t nowhere_to_be_found(void);
#endif

static int32_t describe(const FerruleHost *host)
{
#ifdef DESCRIBE_FAILS
    return host->fail(host, "no licence\nfor this machine");
#endif
#ifdef UNRESOLVED
    nowhere_to_be_found();
#endif
#ifdef TWICE
    describe_one(host, "c-detect", SLOT);
#endif
    describe_one(host, "c-segment", FERRULE_SLOT_SEGMENT);
    describe_one(host, "c-detect", SLOT);
    describe_one(host, "c-measure", FERRULE_SLOT_MEASURE);
    describe_one(host, "c-grade", FERRULE_SLOT_GRADE);
    return FERRULE_OK;
}

static void *create(const char *id, const FerruleNamedValue *parameters, size_t count, const FerruleHost *host)
{
    Moods *moods = (Moods *)calloc(1, sizeof *moods);
    const FerruleValue *note = ferrule_parameter(parameters, count, "note");
    (void)id;
    if (moods == NULL) {
        host->fail(host, "out of memory");
        return NULL;
    }
    if (strcmp(note->text, "refuse me") == 0) {
        host->fail(host, "refused as asked");
        free(moods);
        return NULL;
    }
    strncpy(moods->fault, ferrule_parameter(parameters, count, "fault")->text, sizeof moods->fault - 1);
    moods->sum = ferrule_parameter(parameters, count, "flip")->boolean * 1000.0;
    moods->sum += (double)ferrule_parameter(parameters, count, "count")->integer * 100.0;
    moods->sum += ferrule_parameter(parameters, count, "level")->real;
    moods->sum += (double)strlen(ferrule_parameter(parameters, count, "tone")->text) * 10.0;
    moods->sum += (double)strlen(note->text) * 1e4;
    return moods;
}

static void destroy(void *instance)
{
    free(instance);
}

static int is(const Moods *moods, const char *fault)
{
    return strcmp(moods->fault, fault) == 0;
}

/* What a call of any slot does before it answers; FERRULE_OK to go on. */
static int32_t strike(const Moods *moods, const FerruleHost *host)
{
    static volatile int *nowhere;
    if (is(moods, "error")) {
        return host->fail(host, "a deliberate\nerror \x1b[31mwith colour");
    }
    if (is(moods, "error-and-ok")) {
        host->fail(host, "an error that is forgotten");
    }
    if (is(moods, "silent")) {
        return -3;
    }
    if (is(moods, "segfault")) {
        *nowhere = 1;
    }
    return FERRULE_OK;
}

static void attribute(const FerruleHost *host, const char *name, const char *text)
{
    FerruleNamedValue told;
    memset(&told, 0, sizeof told);
    told.name = name;
    told.value.type = FERRULE_TYPE_TEXT;
    told.value.text = text;
    host->add_attribute(host, &told);
}

/* ------------------------------------------------------------------------------------------------------- slots --- */

/* A fibre in the middle of the picture. */
static int32_t segment(void *instance, const FerruleImage *image, const FerruleHost *host)
{
    const Moods *moods = (const Moods *)instance;
    const double shares[] = {0.05, 0.3, 0.5};
    const uint32_t names[] = {FERRULE_ZONE_CORE, FERRULE_ZONE_CLADDING, FERRULE_ZONE_FERRULE};
    double side = image->width < image->height ? image->width : image->height;
    size_t i;
    if (strike(moods, host) != FERRULE_OK) {
        return FERRULE_FAILED;
    }
    for (i = 0; i < 3; i++) {
        FerruleZone zone;
        memset(&zone, 0, sizeof zone);
        zone.name = is(moods, "bad-code") ? 9 : names[is(moods, "wrong-slot") ? 0 : i];
        zone.confidence = 0.9;
        zone.outline.cx = image->width / 2.0;
        zone.outline.cy = image->height / 2.0;
        zone.outline.ax = is(moods, "nan") ? NAN : side * shares[i];
        zone.outline.by = side * shares[i];
        host->add_zone(host, &zone);
    }
    if (is(moods, "bad-labels")) {
        host->set_labels(host, image->pixels, 7);
    }
    if (is(moods, "null-list")) {
        host->set_labels(host, NULL, (size_t)image->width * image->height);
    }
    if (is(moods, "echo")) {
        /* A map that no outline gives: all core. The host keeps it, and this copy is gone at once. */
        size_t pixels = (size_t)image->width * image->height;
        uint8_t *labels = (uint8_t *)malloc(pixels);
        memset(labels, FERRULE_ZONE_CORE, pixels);
        host->set_labels(host, labels, pixels);
        memset(labels, 77, pixels);
        free(labels);
    }
    return FERRULE_OK;
}

/* One particle of 4 x 3 pixels at (10, 12), where the picture has room for it. */
static int32_t detect(void *instance, const FerruleImage *image, const FerruleSegmentation *segmentation,
                      const FerruleHost *host)
{
    const Moods *moods = (const Moods *)instance;
    FerruleRun runs[3];
    FerruleDefect defect;
    uint32_t i;
    (void)segmentation;
    if (strike(moods, host) != FERRULE_OK) {
        return FERRULE_FAILED;
    }
    if (image->width < 14 || image->height < 15) {
        return FERRULE_OK;
    }
    memset(&defect, 0, sizeof defect);
    for (i = 0; i < 3; i++) {
        runs[i].y = 12 + i;
        runs[i].x = is(moods, "outside") ? image->width - 1 : 10;
        runs[i].length = 4;
    }
    defect.kind = FERRULE_KIND_PARTICLE;
    defect.severity = is(moods, "bad-code") ? 0 : FERRULE_SEVERITY_MEDIUM;
    defect.confidence = is(moods, "nan") ? NAN : 0.8;
    defect.bbox.x = 10;
    defect.bbox.y = 12;
    defect.bbox.width = 4;
    defect.bbox.height = 3;
    defect.length_px = 4.0;
    defect.width_px = 3.0;
    defect.mask = runs;
    defect.run_count = 3;
    if (is(moods, "null-list")) {
        defect.mask = NULL;
    }
    if (is(moods, "long-list")) {
        defect.run_count = SIZE_MAX / 2;
    }
    if (is(moods, "odd-address")) {
        defect.mask = (const FerruleRun *)((const char *)runs + 1);
        defect.run_count = 1;
    }
    if (is(moods, "wrong-slot")) {
        FerruleFeature feature;
        memset(&feature, 0, sizeof feature);
        host->add_feature(host, &feature);
    }
    if (is(moods, "echo")) {
        FerruleNamedValue note;
        memset(&note, 0, sizeof note);
        note.name = "depth_um";
        note.value.type = FERRULE_TYPE_REAL;
        note.value.real = 2.5;
        defect.attributes = &note;
        defect.attribute_count = 1;
        host->add_defect(host, &defect);
        return FERRULE_OK;
    }
    host->add_defect(host, is(moods, "null") ? NULL : &defect);
    defect.run_count = is(moods, "endless") ? 0 : 3;
    for (i = 0; (is(moods, "endless") || is(moods, "masks")) && i < 1000000; i++) {
        host->add_defect(host, &defect);
    }
    return FERRULE_OK;
}

static void feature(const FerruleHost *host, const char *region, const char *name, double value)
{
    FerruleFeature told = {NULL, NULL, "count", 0.0};
    told.region = region;
    told.name = name;
    told.value = value;
    host->add_feature(host, &told);
}

/* How many defects there are. */
static int32_t measure(void *instance, const FerruleImage *image, const FerruleSegmentation *segmentation,
                       const FerruleDefect *defects, size_t defect_count, const FerruleHost *host)
{
    const Moods *moods = (const Moods *)instance;
    if (strike(moods, host) != FERRULE_OK) {
        return FERRULE_FAILED;
    }
    feature(host, is(moods, "outside") ? "nowhere" : "image", is(moods, "null") ? NULL : "defects",
            is(moods, "nan") ? NAN : (double)defect_count);
    if (is(moods, "endless")) {
        size_t i;
        for (i = 0; i < 1000000; i++) {
            feature(host, "image", "defects", 1.0);
        }
    }
    if (is(moods, "long-list")) {
        static const uint64_t none[1] = {0};
        FerruleHistogram histogram = {"core", "gray", 0.0, 256.0, none, SIZE_MAX};
        host->add_histogram(host, &histogram);
    }
    if (is(moods, "echo")) {
        static const uint64_t counts[] = {3, 4, 5};
        FerruleHistogram histogram = {"core", "gray", 0.0, 256.0, counts, FERRULE_COUNT(counts)};
        size_t core = 0, i, pixels = (size_t)image->width * image->height;
        for (i = 0; i < pixels; i++) {
            core += segmentation->labels[i] == FERRULE_ZONE_CORE;
        }
        host->add_histogram(host, &histogram);
        feature(host, "image", "width", image->width);
        feature(host, "image", "height", image->height);
        feature(host, "image", "last_gray", ferrule_row(image, image->height - 1)[image->width - 1]);
        feature(host, "image", "um_per_px", image->um_per_px);
        feature(host, "image", "pixel_aspect", image->pixel_aspect);
        feature(host, "image", "parameters", moods->sum);
        feature(host, "image", "zones", (double)segmentation->zone_count);
        feature(host, "core", "pixels", (double)core);
        feature(host, "cladding", "radius", segmentation->zones[1].outline.ax);
        if (defect_count == 1) {
            feature(host, "image", "area", defects[0].area_px);
            feature(host, "image", "centre", defects[0].x);
            feature(host, "image", "runs", (double)defects[0].run_count);
            feature(host, "image", "last_run", defects[0].mask[2].y);
            feature(host, "image", "depth", defects[0].attributes[0].value.real);
        }
        attribute(host, "flag", "echoed");
    }
    if (is(moods, "control-text")) {
        attribute(host, "flag", "red \x1b[31m and \xff no UTF-8");
    }
    return FERRULE_OK;
}

/* Passes without defects. */
static int32_t grade(void *instance, const FerruleGradeInput *input, const FerruleHost *host)
{
    const Moods *moods = (const Moods *)instance;
    static const uint32_t places[] = {4000000};
    FerruleVerdict verdict = {FERRULE_OUTCOME_FAIL, "strict", ""};
    char reason[200] = "";
    uint32_t zone;
    if (strike(moods, host) != FERRULE_OK) {
        return FERRULE_FAILED;
    }
    verdict.outcome = input->defect_count == 0 ? FERRULE_OUTCOME_PASS : FERRULE_OUTCOME_FAIL;
    for (zone = FERRULE_ZONE_CORE; zone <= FERRULE_ZONE_FERRULE; zone++) {
        FerruleZoneVerdict told;
        memset(&told, 0, sizeof told);
        told.zone = zone;
        told.outcome = verdict.outcome;
        told.rule = "no defects";
        if (is(moods, "outside")) {
            told.defects = places;
            told.defect_count = 1;
        }
        if (is(moods, "long-list")) {
            told.defects = places;
            told.defect_count = input->defect_count + 1;
        }
        host->add_zone_verdict(host, &told);
    }
    if (is(moods, "bad-code")) {
        verdict.outcome = 0;
    }
    if (is(moods, "echo")) {
        snprintf(reason, sizeof reason, "%u x %u, %u zones, %u px in zone %u, %.3f um, core unknown: %d, %s",
                 (unsigned)input->width, (unsigned)input->height, (unsigned)input->zone_count,
                 (unsigned)input->defects[0].area_px, (unsigned)input->defects[0].zone, input->um_per_px,
                 isnan(input->core_um) != 0, input->flag_count == 1 ? input->flags[0] : "");
        verdict.reason = reason;
    }
    if (!is(moods, "no-verdict")) {
        host->set_verdict(host, &verdict);
    }
    if (is(moods, "second-verdict")) {
        host->set_verdict(host, &verdict);
    }
    return FERRULE_OK;
}

/* ------------------------------------------------------------------------------------------------------- table --- */

#ifndef TABLE_SIZE
#define TABLE_SIZE sizeof(FerrulePlugin)
#endif
#ifndef TABLE_VERSION
#define TABLE_VERSION FERRULE_PLUGIN_VERSION
#endif

#ifdef NO_CREATE
#define CREATE NULL
#else
#define CREATE create
#endif
#ifdef NO_DETECT
#define DETECT NULL
#else
#define DETECT detect
#endif

const FerrulePlugin ferrule_plugin_v1 = {
    (uint32_t)TABLE_SIZE, TABLE_VERSION, describe, CREATE, destroy, segment, DETECT, measure, grade,
};
