# SPDX-License-Identifier: GPL-3.0-or-later
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("sondage", "0001_premier_schema")]

    operations = [
        migrations.AddField(
            model_name="campagne",
            name="repartition",
            field=models.CharField(default="proportionnelle", max_length=160, verbose_name="répartition"),
        ),
    ]
