"""The MGK scheme: what SNOMED CT in DICOM lacks. Courses of motion, screen and scope words, and a few everyday findings.

A phrase in [brackets] is context: it must be there but is left for another concept ("[left ventricle] of normal size").
A phrase that begins with ! says that the concept is absent ("!lungs are clear"). NEEDS names the axis that must occur in the same sentence.
"""

MGK = {
    # courses of motion, as a caption of a video states them
    "motion/advancing": "advances | advanced | advancing | is pushed forward | moves forward | moving forward | forward movement",
    "motion/withdrawing": "withdraws | withdrawn | withdrawing | withdrawal | is pulled back | pulled back | moves backward | "
                          "moves backwards | backward movement | retreats | retraction | retracted",
    "motion/entering": "enters | entering | is introduced | introduced from | introduction of | introduction | is inserted | "
                       "inserted from | insertion | entry of | entry",
    "motion/drifting left": "drifts to the left | drifting to the left | drifts leftwards | drifts leftward | drifts left | "
                            "drifting left | floats leftwards | moves to the left | leftward drift | drift to the left | "
                            "slides leftwards | heading left",
    "motion/drifting right": "drifts to the right | drifting to the right | drifts rightwards | drifts rightward | drifts right | "
                             "drifting right | floats rightwards | moves to the right | rightward drift | drift to the right | "
                             "slides rightwards | heading right",
    "motion/dividing": "mitosis | mitotic figure | cell division | divides in two | divides into two | dividing in two | "
                       "splits in two | two daughter cells | divides into two daughter cells | undergoes mitosis | "
                       "goes through cell division | [cell] divides | [cell] is dividing | dividing [cell]",
    "motion/head to feet": "from head to feet | head to feet | from the head to the feet | from head to foot | "
                           "from the head towards the feet | towards the feet | toward the feet | craniocaudal | craniocaudally | "
                           "in craniocaudal order, head to feet | craniocaudally, from head to feet | "
                           "down from the head towards the feet",
    "motion/feet to head": "from feet to head | feet to head | from the feet to the head | from foot to head | "
                           "from the feet towards the head | towards the head | toward the head | caudocranial | caudocranially | "
                           "in caudocranial order, feet to head | caudocranially, from feet to head | "
                           "up from the feet towards the head",
    "motion/front to back": "from front to back | front to back | anterior to posterior | anteroposterior order | towards the back | "
                            "toward the back",
    "motion/back to front": "from back to front | back to front | posterior to anterior | towards the front | toward the front | "
                            "towards the face",
    "motion/towards the midline": "towards the midline | toward the midline | from left to midline",
    "motion/towards the left side": "towards the left side | toward the left side",
    "motion/left to right": "from left to right | left to right | from the left to the right | from the left side to the right side",
    "motion/right to left": "from right to left | right to left | from the right to the left | from the right side to the left side",
    "motion/circling": "circles the drawing | circles the organ | moves in a circle | moving in a circle | traces a full circle | "
                       "traces a circle | circling | circles around",
    # findings
    "finding/asystole": "asystole | asystolic | cardiac standstill | asystolic arrest | flatline",
    "finding/bradycardia": "bradycardia | bradycardic | slow heart rate | slow ventricular rate | slow pulse",
    "finding/tachycardia": "tachycardia | tachycardic | fast heart rate | rapid heart rate | rapid ventricular rate | fast pulse",
    "finding/polyp": "polyp | polypoid lesion",
    "finding/pneumonia": "pneumonia | pneumonic infiltrate",
    "finding/consolidation": "consolidation",
    "finding/fracture": "fracture | fractured | broken bone",
    "finding/hernia": "hernia | herniation",
    "finding/hiatus hernia": "hiatus hernia | hiatal hernia",
    "finding/hydronephrosis": "hydronephrosis | hydronephrotic",
    "finding/hypertrophy": "hypertrophy | hypertrophied | hypertrophic",
    "finding/endocarditis": "endocarditis",
    "finding/appendicitis": "appendicitis",
    "finding/cholecystitis": "cholecystitis",
    "finding/pancreatitis": "pancreatitis",
    "finding/colitis": "colitis",
    "finding/gastritis": "gastritis",
    "finding/arthritis": "arthritis | osteoarthritis",
    "finding/retinal detachment": "retinal detachment | [retina] is detached | detached [retina]",
    "finding/perforation": "perforation | perforated",
    "finding/infarct": "infarct | infarction | infarcted",
    "finding/calcification": "calcification | calcified",
    "finding/gallstone": "gallstone | cholelithiasis",
    "finding/kidney stone": "kidney stone | renal calculus | nephrolithiasis",
    "finding/normal mucosa": "normal [mucosa] | healthy [mucosa] | unremarkable [mucosa] | [mucosa] is normal | [mucosa] looks normal",
    "finding/dilated ventricle": "dilated [left ventricle] | enlarged [left ventricle] | dilated [right ventricle] | "
                                 "enlarged [right ventricle] | [left ventricle] is dilated | [left ventricle] is enlarged | "
                                 "[right ventricle] is dilated | [left ventricle] is markedly dilated | dilated [ventricle]",
    "finding/ventricle of normal size": "normal-sized [left ventricle] | normal sized [right ventricle] | "
                                        "[left ventricle] of normal size | [left ventricular cavity] of normal size | "
                                        "[left ventricle] is of normal size | [right ventricle] of normal size",
    "finding/smoke": "surgical smoke | smoke | smoke plume",
    "finding/crowded cells": "densely packed cell | densely packed | densely populated | dense field | dense culture | "
                             "[field] is dense | crowded neighbour | crowded cell | densely crowded",
    "finding/sparse cells": "sparse field | sparse culture | sparsely populated | [field] is sparse | few other cell | "
                            "few neighbour | nearly empty background | sparse cell",
    # anatomy and cells
    "anatomy/mucosa": "mucosa | mucosal | mucous membrane",
    "anatomy/myocardium": "myocardium | myocardial | heart muscle",
    "anatomy/bowel": "bowel | intestine | gut",
    "anatomy/papillary muscle": "papillary muscle",
    "anatomy/basal ganglia": "basal ganglia | basal nuclei",
    "anatomy/neuron": "neuron | nerve cell | neurone",
    "anatomy/lobe": "lobe",
    "anatomy/epithelium": "epithelium | epithelial",
    "anatomy/cytoplasm": "cytoplasm",
    # devices
    "device/endoscope": "endoscope | scope | colonoscope | gastroscope | bronchoscope",
    "device/laparoscope": "laparoscope",
    "device/camera": "camera",
    "device/grasper": "grasper | grasping forceps | laparoscopic grasper | forceps",
    "device/scissors": "scissors",
    "device/diathermy": "diathermy | electrocautery | cautery",
    "device/surgical clip": "surgical clip | metal clip | haemostatic clip | clip applier | clip was placed | clip was applied",
    "device/trocar": "trocar",
    "device/snare": "snare",
    "device/ultrasound probe": "ultrasound probe | transducer",
    "device/plethysmograph": "plethysmograph | plethysmograph trace | plethysmograph waveform | pleth",
    "device/patient monitor": "patient monitor | bedside monitor | cardiac monitor | ECG monitor | vital signs monitor",
    "device/pointer": "laser pointer | pointer | laser spot",
    # procedures and modalities
    "procedure/contrast enhancement": "contrast enhancement | contrast-enhanced | with contrast | intravenous contrast | "
                                      "after contrast | contrast medium | contrast agent | contrast media | !without contrast | "
                                      "!without contrast enhancement | !without intravenous contrast | !no contrast medium | "
                                      "!non-contrast | !unenhanced",
    "procedure/colonoscopy": "colonoscopy | lower endoscopy in the colon | endoscopy of the colon | lower endoscopy",
    "procedure/gastroscopy": "gastroscopy | upper endoscopy in the stomach | endoscopy of the stomach | upper endoscopy",
    "procedure/laparoscopy": "laparoscopy | laparoscopic | keyhole surgery | minimally invasive surgery | laparoscopic surgery | "
                             "laparoscopic operation",
    "procedure/bronchoscopy": "bronchoscopy",
    "procedure/hip replacement": "hip replacement | hip arthroplasty",
    "procedure/suction": "suction | suctioning",
    "procedure/appendectomy": "appendectomy | appendicectomy",
    "procedure/cholecystectomy": "cholecystectomy",
    "modality/ultrasound": "ultrasound | ultrasonography | sonography | sonogram | ultrasound scan",
    "modality/endoscopy": "endoscopy | endoscopic",
    "modality/electrocardiography": "ECG | EKG | electrocardiogram | electrocardiography | ECG trace",
    "modality/magnetic resonance imaging": "MRI | MR scan | magnetic resonance imaging | magnetic resonance | MR image",
    "modality/CT angiography": "CT angiography | CT angiogram | CTA",
    "modality/radiography": "X-ray | radiograph | radiography | plain film",
    "modality/fluorescence microscopy": "fluorescence microscopy | fluorescence | fluorescent dye | fluorescent",
    "modality/phase contrast microscopy": "phase contrast microscopy | phase contrast | phase-contrast optics",
    "modality/T1-weighted": "T1-weighted | T1 weighted | T1",
    "modality/axial plane": "axial slice | axial plane | axial section | axial image | transverse slice | axial",
    "modality/coronal plane": "coronal slice | coronal plane | coronal section | coronal image | coronal",
    "modality/sagittal plane": "sagittal slice | sagittal plane | sagittal section | sagittal image | sagittal",
    "modality/dark slide": "dark background | black background | dark theme",
    "modality/light slide": "light background | white background | light theme",
    # organisms
    "organism/helicobacter pylori": "helicobacter pylori",
    "organism/staphylococcus": "staphylococcus | staphylococci | staphylococcal",
    "organism/escherichia coli": "escherichia coli | e coli",
    "organism/mycobacterium tuberculosis": "mycobacterium tuberculosis | tubercle bacillus",
    "organism/candida": "candida",
}
NEEDS = {"motion/advancing": "device", "motion/withdrawing": "device", "motion/entering": "device"}

# Phrases that hold a concept's word without meaning it; they are passed over.
IGNORED = ("hand side", "hand edge", "hand wall", "hand border", "hand corner", "on the other hand", "on the one hand", "at hand",
           "naked eye", "eye level", "bird's-eye view", "cell phone", "heart of the matter", "by heart", "head of department",
           "head start", "shoulder to shoulder")
