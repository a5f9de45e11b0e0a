//+------------------------------------------------------------------+
//| The probe with the vendor's key in its source: the stand-in's.    |
//+------------------------------------------------------------------+
#property strict

#define MARQUE_VENDOR_KEY "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"

#include "Probe.mq5"
